//! What can be called: the definitions that are published, and the same methods as a table to check requests by.
//!
//! Invariant: the table and `io.lusush.Maintenance.varlink` say the same, and the errors declared there are the rows
//! of [`lle_core::error::Code`]; the tests below read both.

use serde_json::{Map, Value, json};

/// The name of the interface.
pub const INTERFACE: &str = "io.lusush.Maintenance";
/// The version of the interface; its definition states the rule.
pub const VERSION: u32 = 1;
/// The definition of the interface.
pub const DESCRIPTION: &str = include_str!("io.lusush.Maintenance.varlink");

/// The interface that every service has.
pub(super) const SERVICE: &str = "org.varlink.service";
pub(super) const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");

/// A method and what it takes.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) name: &'static str,
    parameters: &'static [Parameter],
}

#[derive(Debug)]
struct Parameter {
    name: &'static str,
    kind: Kind,
    optional: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    Int,
    Text,
    Texts,
}
use Kind::{Bool, Int, Text, Texts};

const fn must(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: false,
    }
}

const fn may(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: true,
    }
}

const fn method(name: &'static str, parameters: &'static [Parameter]) -> Method {
    Method { name, parameters }
}

const METHODS: &[Method] = &[
    method("Status", &[]),
    method("Health", &[]),
    method("Metrics", const { &[may("session", Text)] }),
    method("Tasks", &[]),
    method("Start", &[]),
    method("Stop", &[]),
    method("Pause", const { &[may("task", Text)] }),
    method("Resume", const { &[may("task", Text)] }),
    method("Run", const { &[must("task", Text)] }),
    method("Cancel", const { &[must("task", Text)] }),
    method(
        "Schedule",
        const {
            &[
                must("name", Text),
                may("description", Text),
                may("schedule", Text),
                may("command", Texts),
                may("cleanup", Texts),
                may("priority", Text),
                may("budget_ms", Int),
                may("retries", Int),
                may("enabled", Bool),
            ]
        },
    ),
    method("SetMode", const { &[must("area", Text), must("mode", Text)] }),
    method("Alerts", &[]),
    method("Acknowledge", const { &[must("id", Int)] }),
    method("Audit", const { &[may("from", Int), may("limit", Int)] }),
    method("Verify", &[]),
    method("Checklist", &[]),
    method("SignOff", const { &[must("item", Text), may("note", Text)] }),
    method("RestoreRc", const { &[must("file", Text), must("number", Int)] }),
    method("Validate", &[]),
    method(
        "Optimize",
        const {
            &[
                may("force", Text),
                may("within_ms", Int),
                may("reset", Text),
                may("withdraw", Bool),
            ]
        },
    ),
    method("Trials", &[]),
    method("ConfigTrials", &[]),
    method("ConfigConfirm", const { &[may("version", Int)] }),
    method(
        "ConfigArm",
        const { &[must("says", Text), must("within_ms", Int)] },
    ),
    method(
        "History",
        const { &[must("what", Text), may("which", Text), may("detail", Text)] },
    ),
    method("Backup", const { &[must("what", Text), may("detail", Text)] }),
    method(
        "Recover",
        const { &[must("scenario", Text), may("detail", Text)] },
    ),
    method("Forecast", &[]),
    method("Anomalies", &[]),
    method("Version", &[]),
];

/// Finds a method of the interface by its name.
pub(super) fn method_named(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

impl Method {
    /// Returns the parameters if they are what the method takes, those that are null left out; else the name of one
    /// that is missing, unknown or of another type.
    pub(super) fn admit(&self, mut given: Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut admitted = Map::new();
        for parameter in self.parameters {
            match given.remove(parameter.name).filter(|value| !value.is_null()) {
                None if parameter.optional => {}
                Some(value) if parameter.kind.holds(&value) => {
                    admitted.insert(parameter.name.to_owned(), value);
                }
                _ => return Err(parameter.name.to_owned()),
            }
        }
        match given.into_iter().next() {
            Some((unknown, _)) => Err(unknown),
            None => Ok(admitted),
        }
    }
}

impl Kind {
    fn holds(self, value: &Value) -> bool {
        match self {
            Int => value.is_i64(),
            Bool => value.is_boolean(),
            Text => value.is_string(),
            Texts => value
                .as_array()
                .is_some_and(|texts| texts.iter().all(Value::is_string)),
        }
    }
}

/// What the service says of itself.
pub(super) fn info() -> Value {
    json!({
        "vendor": "Lusush",
        "product": "lusush maintenance",
        "version": env!("CARGO_PKG_VERSION"),
        "url": "",
        "interfaces": [SERVICE, INTERFACE],
    })
}

/// The definition of the interface of that name.
pub(super) fn description(interface: &str) -> Option<&'static str> {
    match interface {
        SERVICE => Some(SERVICE_DESCRIPTION),
        INTERFACE => Some(DESCRIPTION),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::error::Code;
    use varlink_parser::{IDL, VStruct, VType, VTypeExt};

    fn type_name(of: &VTypeExt<'_>) -> String {
        match of {
            VTypeExt::Plain(VType::Int) => "int".to_owned(),
            VTypeExt::Plain(VType::Bool) => "bool".to_owned(),
            VTypeExt::Plain(VType::String) => "string".to_owned(),
            VTypeExt::Array(of) => format!("[]{}", type_name(of)),
            VTypeExt::Option(of) => format!("?{}", type_name(of)),
            other => format!("{other}"),
        }
    }

    fn fields(of: &VStruct<'_>) -> Vec<String> {
        let field =
            |field: &varlink_parser::Argument<'_>| format!("{}: {}", field.name, type_name(&field.vtype));
        of.elts.iter().map(field).collect()
    }

    fn declared(parameter: &Parameter) -> String {
        let optional = if parameter.optional { "?" } else { "" };
        let kind = match parameter.kind {
            Int => "int",
            Bool => "bool",
            Text => "string",
            Texts => "[]string",
        };
        format!("{}: {optional}{kind}", parameter.name)
    }

    #[test]
    fn the_table_is_the_definition() {
        let definition = IDL::try_from(DESCRIPTION).unwrap();
        assert_eq!(definition.name, INTERFACE);
        let names: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
        assert_eq!(definition.method_keys, names);
        for method in METHODS {
            let parameters: Vec<String> = method.parameters.iter().map(declared).collect();
            let defined = &definition.methods[method.name];
            assert_eq!(fields(&defined.input), parameters, "{}", method.name);
            assert!(!defined.doc.is_empty(), "{} is not documented", method.name);
        }
    }

    #[test]
    fn the_errors_are_the_table_of_errors() {
        let definition = IDL::try_from(DESCRIPTION).unwrap();
        let errors = Code::ALL.iter().filter(|code| **code != Code::Success);
        let names: Vec<&str> = errors.clone().map(|code| code.name()).collect();
        assert_eq!(definition.error_keys, names);
        for code in errors {
            let defined = &definition.errors[code.name()];
            assert_eq!(fields(&defined.parm), ["message: string", "hint: ?string"]);
            assert_eq!(defined.doc.trim_start_matches("# ").trim(), code.about());
        }
    }

    #[test]
    fn the_service_is_defined_as_in_the_specification() {
        let definition = IDL::try_from(SERVICE_DESCRIPTION).unwrap();
        assert_eq!(definition.name, SERVICE);
        assert_eq!(definition.method_keys, ["GetInfo", "GetInterfaceDescription"]);
        assert_eq!(
            definition.error_keys,
            [
                "InterfaceNotFound",
                "MethodNotFound",
                "MethodNotImplemented",
                "InvalidParameter"
            ]
        );
    }

    #[test]
    fn parameters() {
        fn check(method: &str, given: Value, expect: Result<Value, &str>) {
            let Value::Object(given) = given else {
                panic!("{given}")
            };
            let admitted = method_named(method).unwrap().admit(given).map(Value::Object);
            assert_eq!(admitted, expect.map_err(str::to_owned), "{method}");
        }
        check("Status", json!({}), Ok(json!({})));
        check("Status", json!({"verbose": 1}), Err("verbose"));
        check("Run", json!({"task": "backup"}), Ok(json!({"task": "backup"})));
        check("Run", json!({}), Err("task"));
        check("Run", json!({"task": null}), Err("task"));
        check("Run", json!({"task": ["backup"]}), Err("task"));
        check("Pause", json!({"task": null}), Ok(json!({})));
        check("Audit", json!({"from": -1}), Ok(json!({"from": -1})));
        check("Audit", json!({"from": 1.5}), Err("from"));
        check("Audit", json!({"limit": 1e300}), Err("limit"));
        check("Audit", json!({"limit": u64::MAX}), Err("limit"));
        let task = json!({"name": "n", "schedule": "5m", "command": ["true"], "retries": 2});
        check("Schedule", task.clone(), Ok(task));
        let task = json!({"name": "n", "schedule": "5m", "command": ["true", 1]});
        check("Schedule", task, Err("command"));
        // One that is known is changed: what is left out stays.
        let task = json!({"name": "n", "enabled": false, "command": null});
        check("Schedule", task, Ok(json!({"name": "n", "enabled": false})));
        check("Schedule", json!({"name": "n", "enabled": 1}), Err("enabled"));
    }
}
