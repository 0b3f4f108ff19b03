use proptest::prelude::*;

use super::*;
use crate::route::{EndpointSpec, Endpoints, Path};

fn table(specs: &[(u32, &str, &str, u32)]) -> Table {
    let mut endpoints = Endpoints::default();
    let spec = |&(id, method, url, priority): &(u32, &str, &str, u32)| EndpointSpec {
        id,
        method: method.into(),
        url: url.into(),
        priority,
        ..EndpointSpec::default()
    };
    endpoints.add(specs.iter().map(spec).collect()).unwrap();
    endpoints.table()
}

fn found(table: &Table, method: &str, path: &str) -> Vec<u32> {
    let path = Path::parse(path.as_bytes()).unwrap();
    table.matches(method, path.segments()).iter().map(|endpoint| endpoint.id).collect()
}

#[test]
fn all_that_match_run_by_priority_then_in_the_order_of_addition() {
    let table = table(&[
        (1, "GET", "user/me", 5),
        (2, "GET", "user/:name", 5),
        (3, "*", "*", 0),
        (4, "GET", "user/*", 5),
        (5, "POST", "user/me", 0),
        (6, "GET", ":a/:b", 1),
    ]);
    assert_eq!(found(&table, "GET", "/user/me"), [3, 6, 1, 2, 4]);
    assert_eq!(found(&table, "GET", "/user/you/"), [3, 6, 2, 4]);
    assert_eq!(found(&table, "GET", "/user"), [3, 4]);
    assert_eq!(found(&table, "POST", "//user//me"), [3, 5]);
    assert_eq!(found(&table, "DELETE", "/"), [3]);
    assert_eq!(found(&table, "GET", "/user/me/more"), [3, 4]);
}

#[test]
fn literals_are_compared_decoded_and_with_their_case() {
    let table = table(&[(1, "GET", "a b/é", 0), (2, "GET", "%3Ax", 0)]);
    assert_eq!(found(&table, "GET", "/a%20b/%C3%A9"), [1]);
    assert_eq!(found(&table, "GET", "/A%20b/%C3%A9"), Vec::<u32>::new());
    assert_eq!(found(&table, "GET", "/:x"), [2]);
    assert_eq!(found(&table, "get", "/:x"), Vec::<u32>::new());
}

#[test]
fn filters_alone_answer_nothing_and_are_no_methods_of_a_path() {
    let mut endpoints = Endpoints::default();
    let spec = |id, method: &str, url: &str, filter| EndpointSpec {
        id,
        method: method.into(),
        url: url.into(),
        filter,
        ..EndpointSpec::default()
    };
    endpoints
        .add(vec![spec(1, "*", "*", true), spec(2, "GET", "a", false), spec(3, "PUT", ":x", false)])
        .unwrap();
    let table = endpoints.table();
    let path = Path::parse(b"/a").unwrap();
    assert!(!table.matches("GET", path.segments()).is_unanswered());
    assert!(table.matches("POST", path.segments()).is_unanswered());
    let methods: Vec<_> = table.methods(path.segments()).iter().map(ToString::to_string).collect();
    assert_eq!(methods, ["GET", "PUT"]);
    assert!(table.methods(Path::parse(b"/a/b").unwrap().segments()).is_empty());
}

/// What the documentation says, word by word and one endpoint at a time.
fn naive(endpoints: &Endpoints, method: &str, path: &Path<'_>) -> Vec<u32> {
    let mut matching: Vec<&Endpoint> =
        endpoints.iter().filter(|e| is_match(e, method, path)).collect();
    matching.sort_by_key(|endpoint| endpoint.priority);
    matching.iter().map(|endpoint| endpoint.id).collect()
}

fn is_match(endpoint: &Endpoint, method: &str, path: &Path<'_>) -> bool {
    let parts = endpoint.pattern.parts();
    let segments = path.segments();
    let is_long_enough = if endpoint.pattern.takes_rest() {
        segments.len() >= parts.len()
    } else {
        segments.len() == parts.len()
    };
    let is_method = match &endpoint.method {
        Method::Any => true,
        Method::Named(name) => **name == *method,
    };
    is_method
        && is_long_enough
        && parts.iter().zip(segments).all(|(part, segment)| match part {
            Part::Literal(literal) => **literal == **segment,
            Part::Variable(_) => true,
        })
}

fn url() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => "[abA]{1,2}".prop_map(String::from),
        1 => Just("%61".to_owned()),
        1 => Just(String::new()),
        2 => Just(":".to_owned()),
    ];
    (prop::collection::vec(segment, 0..5), any::<bool>()).prop_map(|(mut segments, takes_rest)| {
        for (index, segment) in
            segments.iter_mut().enumerate().filter(|(_, segment)| *segment == ":")
        {
            *segment = format!(":v{index}");
        }
        segments.extend(takes_rest.then(|| "*".to_owned()));
        segments.join("/")
    })
}

proptest! {
    #[test]
    fn the_table_finds_what_a_naive_reader_finds(
        specs in prop::collection::vec((url(), prop_oneof!["GET", "POST", "\\*"], 0u32..3, any::<bool>()), 0..40),
        removed in prop::collection::vec(1u32..40, 0..8),
        requests in prop::collection::vec((prop_oneof!["GET", "POST", "PUT"], "(/([abA]{1,2}|%61|)){0,5}"), 1..20),
    ) {
        let mut endpoints = Endpoints::default();
        for (id, (url, method, priority, filter)) in (1..).zip(specs) {
            // Two of one place are refused; the rest is what this test is about.
            let _ = endpoints.add(vec![EndpointSpec { id, method, url, priority, filter, ..Default::default() }]);
        }
        for id in removed {
            let _ = endpoints.remove(&[id]);
        }
        let table = endpoints.table();
        for (method, path) in requests {
            let path = Path::parse(path.as_bytes()).unwrap();
            let found: Vec<u32> = table.matches(&method, path.segments()).iter().map(|e| e.id).collect();
            prop_assert_eq!(found, naive(&endpoints, &method, &path));
        }
    }

    #[test]
    fn no_path_and_no_url_makes_the_parsers_fail(path in prop::collection::vec(any::<u8>(), 0..64), url in ".{0,32}") {
        let _ = Path::parse(&path);
        if let Ok(pattern) = Pattern::parse(&url) {
            prop_assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
        }
    }
}
