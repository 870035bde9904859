//! Clients that others wrote.

use crate::support::Running;
use lle_pty::required;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::process::{Command, Output};
use varlink::{Connection, MethodCall, OrgVarlinkServiceClient, OrgVarlinkServiceInterface};

#[derive(Serialize)]
struct Audit {
    limit: u32,
}

#[derive(Deserialize)]
struct Document {
    version: i64,
    document: Value,
}

#[test]
fn the_varlink_crate() {
    let running = Running::new();
    let connection = Connection::with_address(&format!("unix:{}", running.path.display())).unwrap();
    let mut service = OrgVarlinkServiceClient::new(connection.clone());
    assert_eq!(service.get_info().unwrap().vendor, "Lusush");
    let described = service
        .get_interface_description("io.lusush.Maintenance")
        .unwrap();
    assert!(varlink_parser::IDL::try_from(described.description.unwrap().as_str()).is_ok());
    let call = |method: &'static str, limit| {
        MethodCall::<Audit, Document, varlink::Error>::new(connection.clone(), method, Audit { limit })
    };
    let audit = call("io.lusush.Maintenance.Audit", 3).call().unwrap();
    assert_eq!((audit.version, audit.document), (1, json!({ "text": "xxx" })));
    let mut more = call("io.lusush.Maintenance.Audit", 1);
    let replies = more.more().unwrap().map(|reply| reply.unwrap().document);
    assert_eq!(replies.collect::<Vec<_>>(), [json!({ "text": "x" })]);
    call("io.lusush.Maintenance.Audit", 2).oneway().unwrap();
    let error = call("io.lusush.Maintenance.Status", 1).call().err().unwrap();
    assert!(
        matches!(error.kind(), varlink::ErrorKind::InvalidParameter(parameter) if parameter == "limit"),
        "{error}"
    );
    let error = call("io.lusush.Maintenance.Dance", 1).call().err().unwrap();
    assert!(
        matches!(error.kind(), varlink::ErrorKind::MethodNotFound(_)),
        "{error}"
    );
    let error = call("io.lusush.Dance.Audit", 1).call().err().unwrap();
    assert!(
        matches!(error.kind(), varlink::ErrorKind::InterfaceNotFound(_)),
        "{error}"
    );
    drop((service, connection));
    assert_eq!(running.stop().methods(), ["Audit"; 3]);
}

const PYTHON: &str = r#"
import sys, varlink

with varlink.Client(address="unix:" + sys.argv[1]) as client:
    interfaces = client.get_interfaces()
    assert interfaces == ["org.varlink.service", "io.lusush.Maintenance"], interfaces
    definition = client.get_interface("io.lusush.Maintenance")
    assert definition.get_method("Schedule").signature.startswith("Schedule("), definition
    assert "Pauses one task" in definition.get_method("Pause").doc
    with client.open("io.lusush.Maintenance") as maintenance:
        assert maintenance.Version() == {"version": "0.0.1", "interface": 1}
        status = maintenance.Status()
        assert status["version"] == 1 and status["document"]["calls"] == 2, status
        assert maintenance.Audit(limit=3)["document"]["text"] == "xxx"
        assert maintenance.Pause() == {}
        assert [reply["version"] for reply in maintenance.Status(_more=True)] == [1]
        maintenance.Status(_oneway=True)
        try:
            maintenance.Run("backup")
            sys.exit("it ran")
        except varlink.VarlinkError as error:
            assert error.error() == "io.lusush.Maintenance.Busy", error
            assert error.parameters() == {"message": "backup runs already", "hint": "wait for it"}, error
        try:
            maintenance.Run(3)
            sys.exit("it ran")
        except varlink.InvalidParameter:
            pass
        assert maintenance.Version()["interface"] == 1
print("spoken")
"#;

fn python(arguments: &[&str]) -> Output {
    Command::new("python3").args(arguments).output().unwrap()
}

#[test]
fn the_python_package() {
    let test = "the_python_package";
    if required("python3", test).is_none() {
        return;
    }
    if !python(&["-c", "import varlink"]).status.success() {
        assert!(
            std::env::var("LUSUSH_TEST_REQUIRE").as_deref() != Ok("1"),
            "{test} needs the Python package varlink"
        );
        eprintln!("skipped: {test} (the Python package varlink is not installed)");
        return;
    }
    let running = Running::new();
    let output = python(&["-c", PYTHON, running.path.to_str().unwrap()]);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, b"spoken\n");
}
