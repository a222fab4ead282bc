//! The rules of deploy/monitoring, as Prometheus understands them.

use std::{fs, process::Command};

use crate::programs::{file, files, run};

const RULES: &str = "deploy/monitoring/rules";

#[test]
fn the_rules_are_well_formed() {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "rules", "--lint-fatal"]);
    run(promtool.args(files(RULES, ".yml")), "").assert_content();
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules"]);
    let tests = files("deploy/monitoring/tests", ".test.yml");
    run(promtool.args(tests), "").assert_content();
}

#[test]
fn each_alert_has_a_runbook_and_a_test_in_which_it_fires() {
    let tests: String = files("deploy/monitoring/tests", ".test.yml")
        .iter()
        .map(|path| fs::read_to_string(path).expect("it is readable"))
        .collect();
    for path in files(RULES, ".yml") {
        let rules = fs::read_to_string(&path).expect("it is readable");
        for rule in rules.split("- alert: ").skip(1) {
            let name = rule.lines().next().expect("a rule has a name");
            let runbook = rule
                .lines()
                .find_map(|line| line.trim().strip_prefix("runbook: "))
                .unwrap_or_else(|| panic!("{name} has no runbook"));
            assert!(file(runbook).is_file(), "{name}: there is no {runbook}");
            // Written on one line are those that must hold still.
            assert!(
                tests.contains(&format!("- alertname: {name}\n")),
                "no test has {name} fire"
            );
        }
    }
}
