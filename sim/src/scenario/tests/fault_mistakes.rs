//! What is said of faults that cannot be meant.

use super::refused;

/// What is said of one fault in a small shop.
fn fault(text: &str) -> String {
    refused(&format!(
        "topology: {{ zones: [a, b] }}\nservices: {{ web: {{ replicas: 2, versions: {{ v1: , v2: }} }}, db: {{ labels: {{ tier: gold }} }} }}\ntraffic: {{ shop: {{ to: \"http://web/\", rate: 1/s }} }}\nfaults:\n  - {{ at: 1s, for: 5s, crash: db, name: first }}\n{text}"
    ))
}

#[test]
fn a_fault_has_one_beginning() {
    insta::assert_snapshot!(fault("  - { crash: web }\n  - { at: 1s, when: healed(first), crash: web }\n  - { when: healed(frist), crash: web }\n  - { when: ejected(wbe), crash: web }\n  - { when: exploded(web), crash: web }\n"), @r"");
}

#[test]
fn a_fault_has_one_end() {
    insta::assert_snapshot!(fault("  - { at: 1s, for: 5s, until: 9s, crash: web }\n  - { at: 10s, until: 9s, crash: web }\n  - { at: 'uniform(1s, 2s)', until: 9s, crash: web }\n  - { at: 10s, until: 9h, crash: web }\n  - { at: 1s, for: 1s, half-open: web }\n  - { at: 1s, for: 1s, rollout: { service: web } }\n"), @r"");
}

#[test]
fn a_fault_comes_again_only_when_it_can() {
    insta::assert_snapshot!(fault("  - { at: 1s, times: 3, for: 1s, crash: web }\n  - { at: 1s, every: 2s, crash: web }\n  - { at: 1s, every: 0s, for: 1s, crash: web }\n  - { when: healed(first), every: 2s, for: 1s, crash: web }\n  - { at: 1s, every: 2s, times: 0, for: 1s, crash: web }\n"), @r"");
}

#[test]
fn only_some_faults_have_a_strength() {
    insta::assert_snapshot!(fault("  - { at: 1s, ramp: 3s, crash: web }\n"), @r"");
}

#[test]
fn pods_that_are_not_there() {
    insta::assert_snapshot!(fault("  - { at: 1s, crash: { node: a-7 } }\n  - { at: 1s, crash: { labels: { teir: gold } } }\n  - { at: 1s, crash: { labels: { tier: gould } } }\n  - { at: 1s, crash: { service: web, random: 9 } }\n  - { at: 1s, crash: { service: web, random: 1, share: 50% } }\n  - { at: 1s, crash: { service: web, random: 0 } }\n  - { at: 1s, crash: { service: web, share: 0% } }\n  - { at: 1s, crash: shop }\n  - { at: 1s, crash: istiod }\n"), @r"");
}

#[test]
fn packets_and_names_that_cannot_be_meant() {
    insta::assert_snapshot!(fault("  - { at: 1s, loss: { service: web } }\n  - { at: 1s, loss: { rate: 120%, service: web } }\n  - { at: 1s, bandwidth: { limit: fast, service: web } }\n  - { at: 1s, dns: { answer: slow } }\n  - { at: 1s, dns: { answer: empty, delay: 5s } }\n  - { at: 1s, dns: { answer: wrong } }\n  - { at: 1s, dns: { host: '[', answer: empty } }\n  - { at: 1s, partition: { from: web, to: db, port: http } }\n"), @r"");
}

#[test]
fn services_that_cannot_be_scaled_so() {
    insta::assert_snapshot!(fault("  - { at: 1s, scale: { service: web, to: 3 } }\n  - { at: 1s, scale: { service: web, version: v3, to: 3 } }\n  - { at: 1s, scale: { service: wbe, to: 3 } }\n  - { at: 1s, scale: { service: db, to: 1 } }\n  - { at: 1s, scale: { service: db, to: 20000 } }\n  - { at: 1s, rollout: { service: db, at-once: 0 } }\n"), @r"");
}

#[test]
fn two_faults_of_one_name() {
    insta::assert_snapshot!(fault("  - { at: 9s, for: 5s, crash: web, name: first }\n  - { at: 1s, crash: web, freeze: db }\n"), @r"");
}
