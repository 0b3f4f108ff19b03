//! Reading a scope from JSON that anybody may have written.

use serde_json::{Map, Value};

use super::{
    Group, LONGEST_DESCRIPTION, LONGEST_DISPLAY_NAME, LONGEST_NAME, MOST_GROUPS, MOST_SCHEMES,
    Scope, is_scope_name,
};

/// A hundred years: whoever wants more wants no limit.
const LONGEST_AGE_S: u64 = 100 * 365 * 24 * 60 * 60;

type Errors = Vec<String>;

pub(super) fn scope(value: &Value, name: Option<&str>) -> Result<Scope, Errors> {
    let Value::Object(object) = value else {
        return Err(vec!["scope must be a JSON object".to_owned()]);
    };
    let mut errors = Errors::new();
    let scope = Scope {
        name: name.map_or_else(|| new_name(object, &mut errors), str::to_owned),
        display_name: text(object, "display_name", LONGEST_DISPLAY_NAME, &mut errors),
        description: text(object, "description", LONGEST_DESCRIPTION, &mut errors),
        password_required: flag(object, "password_required", true, &mut errors),
        password_max_age_s: number(object, "password_max_age", LONGEST_AGE_S, &mut errors),
        groups: groups(object, &mut errors),
    };
    if errors.is_empty() { Ok(scope) } else { Err(errors) }
}

fn new_name(object: &Map<String, Value>, errors: &mut Errors) -> String {
    match object.get("name") {
        Some(Value::String(name)) if is_scope_name(name) => name.clone(),
        None | Some(Value::Null) => {
            errors.push("name is missing".to_owned());
            String::new()
        }
        Some(_) => {
            errors.push(format!(
                "name must be 1 to {LONGEST_NAME} ASCII characters without blanks, \" and \\"
            ));
            String::new()
        }
    }
}

fn text(object: &Map<String, Value>, key: &str, most: usize, errors: &mut Errors) -> String {
    match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if is_text(text, most) => text.clone(),
        Some(_) => {
            errors.push(format!(
                "{key} must be a text of at most {most} characters without control characters"
            ));
            String::new()
        }
    }
}

fn is_text(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.contains(char::is_control)
}

fn flag(object: &Map<String, Value>, key: &str, default: bool, errors: &mut Errors) -> bool {
    match object.get(key) {
        None | Some(Value::Null) => default,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => {
            errors.push(format!("{key} must be true or false"));
            default
        }
    }
}

fn number(object: &Map<String, Value>, key: &str, most: u64, errors: &mut Errors) -> u64 {
    match object.get(key) {
        None | Some(Value::Null) => 0,
        Some(value) => value.as_u64().filter(|number| *number <= most).unwrap_or_else(|| {
            errors.push(format!("{key} must be a whole number from 0 to {most}"));
            0
        }),
    }
}

fn groups(object: &Map<String, Value>, errors: &mut Errors) -> Vec<Group> {
    let written = match object.get("scheme") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Object(groups)) if groups.len() <= MOST_GROUPS => groups,
        Some(Value::Object(_)) => {
            errors.push(format!("scheme has more than {MOST_GROUPS} groups"));
            return Vec::new();
        }
        Some(_) => {
            errors.push("scheme must be an object of groups, each a list of schemes".to_owned());
            return Vec::new();
        }
    };
    let required = match object.get("scheme_required") {
        None | Some(Value::Null) => None,
        Some(Value::Object(required)) => Some(required),
        Some(_) => {
            errors.push("scheme_required must be an object of numbers, one for a group".to_owned());
            None
        }
    };
    complain_of_unknown(required, written, errors);
    let groups = written.iter().filter_map(|(name, members)| {
        group(name, members, required.and_then(|required| required.get(name)), errors)
    });
    let mut groups: Vec<_> = groups.collect();
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    groups
}

fn complain_of_unknown(
    required: Option<&Map<String, Value>>,
    written: &Map<String, Value>,
    errors: &mut Errors,
) {
    let names = required.into_iter().flat_map(Map::keys);
    let unknown = names.filter(|name| !written.contains_key(*name));
    errors.extend(unknown.map(|name| {
        format!("scheme_required names the group {name:?}, which scheme does not have")
    }));
}

fn group(
    name: &str,
    members: &Value,
    required: Option<&Value>,
    errors: &mut Errors,
) -> Option<Group> {
    if name.is_empty() || !is_text(name, LONGEST_NAME) {
        errors.push(format!(
            "scheme has a group whose name is not 1 to {LONGEST_NAME} characters without control characters"
        ));
        return None;
    }
    let schemes = schemes(name, members, errors)?;
    let most = u32::try_from(schemes.len()).unwrap_or(u32::MAX);
    let required = match required {
        None | Some(Value::Null) => Some(1),
        Some(value) => value.as_u64().and_then(|count| u32::try_from(count).ok()),
    };
    let Some(required) = required.filter(|required| (1..=most).contains(required)) else {
        errors.push(format!(
            "scheme_required of the group {name:?} must be a whole number from 1 to {most}, as many as it has schemes"
        ));
        return None;
    };
    Some(Group { name: name.to_owned(), required, schemes })
}

fn schemes(group: &str, members: &Value, errors: &mut Errors) -> Option<Vec<String>> {
    let members = members.as_array().filter(|list| (1..=MOST_SCHEMES).contains(&list.len()));
    let Some(members) = members else {
        errors.push(format!("scheme {group:?} must be a list of 1 to {MOST_SCHEMES} schemes"));
        return None;
    };
    let mut schemes: Vec<String> = Vec::new();
    for member in members {
        let name = member
            .get("scheme_name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty() && is_text(name, LONGEST_NAME));
        let Some(name) = name else {
            errors.push(format!(
                "scheme {group:?} has a member without a scheme_name, the name of an instance"
            ));
            return None;
        };
        if schemes.iter().any(|other| other == name) {
            errors.push(format!("scheme {group:?} names {name:?} twice"));
            return None;
        }
        schemes.push(name.to_owned());
    }
    Some(schemes)
}
