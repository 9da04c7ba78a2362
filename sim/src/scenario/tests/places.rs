//! Every reference keeps the line it was written on.

use super::load;

#[test]
fn plans_point_back_into_the_file() {
    let plan = load("services:\n  web:\ntraffic:\n  t:\n    to: web\n    requests:\n    - at: 1s\n    - at: 2s\nfaults:\n- at: 1s\n  crash: web\nexpect:\n- traffic: t\n  success: '> 0%'\n  p50: < 1s\n").plan;
    let crate::plan::Load::Script(requests) = &plan.traffic[0].load else {
        panic!("a script");
    };
    let places: Vec<&str> = requests
        .iter()
        .map(|request| request.place.as_str())
        .collect();
    assert_eq!(places, ["shop.yaml:9", "shop.yaml:10"]);
    assert_eq!(plan.faults[0].place, "shop.yaml:12");
    let places: Vec<&str> = plan
        .expectations
        .iter()
        .map(|one| one.place.as_str())
        .collect();
    assert_eq!(places, ["shop.yaml:16", "shop.yaml:17"]);
}
