use super::*;

fn spec(id: u32, method: &str, url: &str) -> EndpointSpec {
    EndpointSpec { id, method: method.into(), url: url.into(), ..EndpointSpec::default() }
}

fn ids(endpoints: &Endpoints) -> Vec<u32> {
    endpoints.iter().map(|endpoint| endpoint.id).collect()
}

#[test]
fn zero_and_empty_mean_the_default() {
    let mut endpoints = Endpoints::default();
    endpoints.add(vec![spec(1, "", "")]).unwrap();
    let endpoint = endpoints.get(1).unwrap();
    assert_eq!(endpoint.to_string(), "endpoint 1 (GET /)");
    let limits = |endpoint: &Endpoint| {
        let times = [endpoint.timeout, endpoint.first_byte_timeout, endpoint.idle_timeout];
        let places = endpoint.max_concurrent_requests.map(NonZeroU32::get);
        (endpoint.max_body_bytes, times.map(|time| time.map(|time| time.as_millis())), places)
    };
    assert_eq!(limits(endpoint), (None, [None; 3], None));
    let limited = EndpointSpec {
        max_body_bytes: 7,
        timeout_ms: 9,
        first_byte_timeout_ms: 8,
        idle_timeout_ms: u32::MAX,
        max_concurrent_requests: 3,
        ..spec(2, "PUT", "")
    };
    endpoints.add(vec![limited]).unwrap();
    let times = [Some(9), Some(8), Some(u128::from(u32::MAX))];
    assert_eq!(limits(endpoints.get(2).unwrap()), (Some(7), times, Some(3)));
}

#[test]
fn a_call_with_one_wrong_endpoint_adds_none() {
    let mut endpoints = Endpoints::default();
    endpoints.add(vec![spec(1, "GET", "a")]).unwrap();
    for wrong in [
        spec(0, "GET", "x"),
        spec(1, "GET", "x"),
        spec(2, "GET", "x"),
        spec(3, "get", "x"),
        spec(3, "GET", "x/*/y"),
        spec(3, "GET", "a"),
    ] {
        let before = ids(&endpoints);
        assert!(endpoints.add(vec![spec(2, "GET", "b"), wrong.clone()]).is_err(), "{wrong:?}");
        assert_eq!(ids(&endpoints), before);
        assert_eq!(endpoints.table().len(), 1);
    }
    endpoints.add(vec![spec(2, "GET", "b")]).unwrap();
    assert_eq!(ids(&endpoints), [1, 2]);
}

#[test]
fn two_endpoints_of_one_place_are_refused_and_both_are_named() {
    let mut endpoints = Endpoints::default();
    endpoints.add(vec![spec(4, "GET", "user/:name")]).unwrap();
    let error = endpoints.add(vec![spec(9, "GET", "//user/@id/")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "endpoint 9 (GET /user/:id) has the same method, path and priority (0) as endpoint 4 (GET /user/:name); \
         give one of them another priority"
    );
    for other in [
        EndpointSpec { priority: 1, ..spec(5, "GET", "user/:id") },
        spec(6, "POST", "user/:id"),
        spec(7, "*", "user/:id"),
        spec(8, "GET", "user/name"),
        spec(9, "GET", "user/:id/*"),
    ] {
        endpoints.add(vec![other]).unwrap();
    }
}

#[test]
fn removing_frees_the_id_and_the_place_or_does_nothing() {
    let mut endpoints = Endpoints::default();
    endpoints.add(vec![spec(1, "GET", "a"), spec(2, "GET", "b"), spec(3, "GET", "c")]).unwrap();
    assert_eq!(endpoints.remove(&[1, 7]), Err(EndpointsError::Unknown(7)));
    assert_eq!(ids(&endpoints), [1, 2, 3]);
    endpoints.remove(&[1, 1, 2]).unwrap();
    endpoints.add(vec![spec(2, "GET", "a")]).unwrap();
    assert_eq!(ids(&endpoints), [3, 2], "what is added again comes last");
}

#[test]
fn an_activation_and_a_call_have_bounds() {
    let mut endpoints = Endpoints::default();
    let block = |from: u32, count: u32| {
        (from..from + count).map(|id| spec(id, "GET", &format!("{id}"))).collect()
    };
    assert_eq!(endpoints.add(block(1, 1001)), Err(EndpointsError::TooManyInOneCall(1001)));
    for from in (1..10_000).step_by(1000) {
        endpoints.add(block(from, 1000)).unwrap();
    }
    assert_eq!(endpoints.add(block(10_001, 1)), Err(EndpointsError::TooMany(10_001)));
    assert_eq!(endpoints.len(), 10_000);
}
