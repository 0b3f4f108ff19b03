//! What a scheme wants people to see and fill in: the member `page` of what it answers. Nothing in it is believed: what
//! is malformed or too much is left out, and no text of it is ever markup.

use serde::Serialize;
use serde_json::{Map, Value, json};

const MOST_FORMS: usize = 5;
const MOST_FIELDS: usize = 10;
const MOST_CHOICES: usize = 50;
const LONGEST_TEXT: usize = 1000;
/// Of a name of a field.
const LONGEST_NAME: usize = 64;
const LARGEST_IMAGE: usize = 64 * 1024;
/// The only pictures that a page shows. An SVG in an `img` runs nothing and loads nothing.
const IMAGES: [&str; 2] = ["data:image/png;base64,", "data:image/svg+xml;base64,"];

/// What is shown of a scheme.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct SchemePage {
    pub text: String,
    pub image: String,
    pub image_text: String,
    /// To be typed in elsewhere.
    pub secret: String,
    pub forms: Vec<SchemeForm>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct SchemeForm {
    pub title: String,
    pub text: String,
    pub button: String,
    /// JSON: what goes back beside the fields.
    pub data: String,
    pub fields: Vec<SchemeField>,
    /// The browser asks an authenticator for the value of this field.
    pub credential: Option<Credential>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct SchemeField {
    pub name: String,
    pub label: String,
    /// `code`, `text`, `password`, `choice` or `credential`.
    pub kind: &'static str,
    pub value: String,
    pub options: Vec<Choice>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Choice {
    pub value: String,
    pub label: String,
}

/// For `navigator.credentials`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Credential {
    /// The field of the form that takes what the authenticator says.
    pub name: String,
    pub ceremony: &'static str,
    /// JSON.
    pub options: String,
}

impl SchemePage {
    /// What a scheme has answered says of a page, if it does.
    pub(super) fn of(answer: Option<&Value>) -> Option<Self> {
        let page = answer?.get("page")?.as_object()?;
        let forms = list(page, "forms", MOST_FORMS).filter_map(form);
        Some(Self {
            text: text(page, "text"),
            image: image(page),
            image_text: text(page, "image_text"),
            secret: text(page, "secret"),
            forms: forms.collect(),
        })
    }

    pub(super) fn has_script(&self) -> bool {
        self.forms.iter().any(|form| form.credential.is_some())
    }
}

impl SchemeForm {
    /// One code, as most schemes want it.
    pub(super) fn code() -> Self {
        let field = SchemeField {
            name: "code".to_owned(),
            label: "Code".to_owned(),
            kind: "code",
            ..SchemeField::default()
        };
        Self { button: "Continue".to_owned(), fields: vec![field], ..Self::default() }
    }

    /// Nothing to fill in.
    pub(super) fn set_up() -> Self {
        let data = json!({ "register": true }).to_string();
        Self { button: "Set up".to_owned(), data, ..Self::default() }
    }
}

fn form(value: &Value) -> Option<SchemeForm> {
    let object = value.as_object()?;
    let fields: Vec<_> = list(object, "fields", MOST_FIELDS).filter_map(field).collect();
    let credential = list(object, "fields", MOST_FIELDS).find_map(credential);
    let data = object.get("data").filter(|data| data.is_object());
    Some(SchemeForm {
        title: text(object, "title"),
        text: text(object, "text"),
        button: Some(text(object, "button"))
            .filter(|it| !it.is_empty())
            .unwrap_or("Continue".into()),
        data: data.map(Value::to_string).unwrap_or_default(),
        fields,
        credential,
    })
}

fn field(value: &Value) -> Option<SchemeField> {
    let object = value.as_object()?;
    let name = name(object)?;
    let kind = match object.get("kind").and_then(Value::as_str).unwrap_or("text") {
        "code" => "code",
        "password" => "password",
        "choice" => "choice",
        "credential" => "credential",
        _ => "text",
    };
    let label = Some(text(object, "label")).filter(|label| !label.is_empty());
    let options = list(object, "options", MOST_CHOICES).filter_map(Value::as_object);
    let options = options.map(|it| Choice { value: text(it, "value"), label: text(it, "label") });
    Some(SchemeField {
        label: label.unwrap_or_else(|| name.clone()),
        value: text(object, "value"),
        options: options.collect(),
        name,
        kind,
    })
}

fn credential(value: &Value) -> Option<Credential> {
    let object = value.as_object()?;
    let is_credential = object.get("kind")?.as_str()? == "credential";
    let options = object.get("options").filter(|_| is_credential)?;
    let ceremony = match options.get("ceremony")?.as_str()? {
        "create" => "create",
        "get" => "get",
        _ => return None,
    };
    let options = options.get("publicKey")?.to_string();
    Some(Credential { name: format!("json.{}", name(object)?), ceremony, options })
}

fn name(object: &Map<String, Value>) -> Option<String> {
    let name = object.get("name")?.as_str()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_name = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_plain);
    is_name.then(|| name.to_owned())
}

fn text(object: &Map<String, Value>, key: &str) -> String {
    let text = object.get(key).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

fn image(object: &Map<String, Value>) -> String {
    let image = object.get("image").and_then(Value::as_str).unwrap_or_default();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let data = IMAGES.iter().find_map(|kind| image.strip_prefix(kind));
    let is_image = image.len() <= LARGEST_IMAGE && data.is_some_and(|it| it.chars().all(is_base64));
    if is_image { image.to_owned() } else { String::new() }
}

fn list<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    most: usize,
) -> impl Iterator<Item = &'a Value> {
    object.get(key).and_then(Value::as_array).into_iter().flatten().take(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "made for the call")]
    fn page(value: Value) -> SchemePage {
        SchemePage::of(Some(&json!({ "page": value }))).unwrap()
    }

    #[test]
    fn a_page_is_read() {
        let page = page(json!({
            "text": "Scan this.", "image": "data:image/png;base64,AA+/=", "image_text": "QR code",
            "secret": "ABC",
            "forms": [{
                "title": "Confirm", "button": "Go", "data": {"confirm": true},
                "fields": [
                    {"name": "code", "label": "Code", "kind": "code"},
                    {"name": "type", "kind": "choice", "options": [{"value": "a", "label": "A"}]},
                ],
            }],
        }));
        assert_eq!((page.text.as_str(), page.secret.as_str()), ("Scan this.", "ABC"));
        assert_eq!(page.image, "data:image/png;base64,AA+/=");
        let form = &page.forms[0];
        assert_eq!((form.data.as_str(), form.button.as_str()), ("{\"confirm\":true}", "Go"));
        assert_eq!(form.fields[0].kind, "code");
        assert_eq!((form.fields[1].label.as_str(), form.fields[1].options.len()), ("type", 1));
        assert!(!page.has_script());
    }

    #[test]
    fn an_authenticator_is_asked_with_the_schemes_options() {
        let field = json!({
            "name": "credential", "kind": "credential",
            "options": {"ceremony": "get", "publicKey": {"challenge": "AA"}},
        });
        let page = page(json!({ "forms": [{ "fields": [field] }] }));
        let credential = page.forms[0].credential.as_ref().unwrap();
        assert_eq!((credential.name.as_str(), credential.ceremony), ("json.credential", "get"));
        assert_eq!(credential.options, "{\"challenge\":\"AA\"}");
        assert!(page.has_script());
    }

    #[test]
    fn what_is_malformed_or_too_much_is_left_out() {
        let long = "x".repeat(5000);
        let page = page(json!({
            "text": long, "image": "https://evil.example/x.png", "secret": 5,
            "forms": [
                7,
                {"data": [1], "fields": [
                    {"name": "a b", "kind": "code"}, {"kind": "code"}, {"name": "ok", "kind": "file"},
                    {"name": "c", "kind": "credential", "options": {"ceremony": "steal"}},
                ]},
                {}, {}, {}, {}, {},
            ],
        }));
        assert_eq!(page.text.len(), LONGEST_TEXT);
        assert_eq!((page.image.as_str(), page.secret.as_str()), ("", ""));
        assert_eq!(page.forms.len(), 4, "five at most, and one was none");
        let fields: Vec<_> =
            page.forms[0].fields.iter().map(|it| (it.name.as_str(), it.kind)).collect();
        assert_eq!(fields, [("ok", "text"), ("c", "credential")]);
        assert_eq!(page.forms[0].credential, None);
        for image in [
            "data:image/svg+xml;base64,<svg>",
            "data:text/html;base64,AA",
            "data:image/png;base64,A\" onerror=x",
            "javascript:x",
        ] {
            assert_eq!(self::page(json!({ "image": image })).image, "", "{image}");
        }
        for answer in [json!(null), json!({}), json!({"page": "x"}), json!([1])] {
            assert_eq!(SchemePage::of(Some(&answer)), None, "{answer}");
        }
    }
}
