//! What readers of docs/examples write over the applications there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use podid_tests::manifests::{kubectl_kustomize, kustomize, objects};
use podid_tests::pages::{blocks, page};
use podid_tests::programs::repository;
use serde_json::{Value, json};

/// Renders the overlay `name` of an application's page by both programs, in a reader's folder with all overlays.
fn rendered(application: &str, name: &str) -> Vec<Value> {
    let reader = tempfile::tempdir().unwrap();
    let examples = reader.path().join("podid/docs/examples");
    fs::create_dir_all(&examples).unwrap();
    let from = repository().join("docs/examples").join(application);
    let mut copy = Command::new("cp");
    assert!(
        copy.arg("-r")
            .arg(from)
            .arg(&examples)
            .status()
            .unwrap()
            .success()
    );
    let text = page(&format!("docs/examples/{application}/README.md"));
    for block in blocks(&text, "yaml") {
        let file = block
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "));
        let Some(file) = file else { continue };
        let file = reader.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, block).unwrap();
    }
    let folder = reader.path().join(name).display().to_string();
    let rendered = kustomize(&folder).unwrap();
    assert_eq!(rendered, kubectl_kustomize(&folder).unwrap());
    objects(&rendered)
}

/// The one object of a kind.
fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found
        .next()
        .unwrap_or_else(|| panic!("no {kind}: {objects:?}"));
    assert!(found.next().is_none(), "two of {kind}");
    one
}

#[test]
fn the_overlay_of_the_server_has_the_readers_image_and_vault() {
    let objects = rendered("sql-password", "sql");
    let server = &one(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(server["image"], "registry.example.com/mirror/python:3.13");
    let scope = one(&objects, "PodIdentityProfile")["spec"]["access"][0]["scope"].clone();
    assert!(
        scope.as_str().unwrap().ends_with("/vaults/kv-payments"),
        "{scope}"
    );
    for object in &objects {
        assert_eq!(object["metadata"]["namespace"], "payments", "{object}");
    }
}

#[test]
fn the_overlay_with_sql_server_starts_it_once_the_password_is_there() {
    let objects = rendered("sql-password", "sql-server");
    let server = &one(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        server["image"],
        "registry.example.com/payments/sql-server:2022"
    );
    let command = json!(["sh", "/scripts/start.sh", "/opt/mssql/bin/sqlservr"]);
    assert_eq!(server["command"], command);
    assert_eq!(
        server["env"],
        json!([{"name": "ACCEPT_EULA", "value": "Y"}])
    );
    assert_eq!(server["securityContext"]["readOnlyRootFilesystem"], false);
}

#[test]
fn the_overlay_of_the_list_has_the_readers_image_and_account() {
    let objects = rendered("storage-list", "storage");
    let job = one(&objects, "Job");
    let list = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        list["image"],
        "registry.example.com/payments/storage-list:1"
    );
    let scope = one(&objects, "PodIdentityProfile")["spec"]["access"][0]["scope"].clone();
    assert!(
        scope
            .as_str()
            .unwrap()
            .ends_with("/storageAccounts/stpayments"),
        "{scope}"
    );
    let settings = objects
        .iter()
        .find(|object| object["data"]["ACCOUNT"].is_string());
    assert_eq!(settings.unwrap()["data"]["ACCOUNT"], "stpayments");
}

/// Runs start.sh with a program in place of curl that answers with this secret; it gives up where it would wait.
fn started_with(secret: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let token = "{\"access_token\":\"t.o-k_en\",\"token_type\":\"Bearer\"}";
    let curl = format!(
        "#!/bin/sh\ncase \"$*\" in\n*Metadata:true*) echo '{token}';;\n\
         *) test \"$(cat)\" = 'Authorization: Bearer t.o-k_en' && cat \"$(dirname \"$0\")/answer\";;\nesac\n"
    );
    // The value comes first, as in Key Vault.
    let value = json!(secret);
    let answer = format!(
        "{{\"value\":{value},\"id\":\"https://kv.vault.azure.net/\",\"tags\":{{\"value\":\"x\"}}}}"
    );
    fs::write(folder.path().join("answer"), answer).unwrap();
    for (name, text) in [("curl", curl.as_str()), ("sleep", "#!/bin/sh\nexit 1\n")] {
        let program = folder.path().join(name);
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .arg(repository().join("docs/examples/sql-password/start.sh"))
        .args(["sh", "-c", "printf %s \"$MSSQL_SA_PASSWORD\""])
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("VAULT", "kv")
        .env("SECRET", "s")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_server_starts_with_the_password_as_it_is_in_the_vault_or_not_at_all() {
    for secret in ["correct horse battery staple", "a$b`c;d&e'f*g", "ü%s{}[]"] {
        assert_eq!(started_with(secret), (secret.to_owned(), String::new()));
    }
    for secret in ["", "a\"b", "a\\b"] {
        let (started, why) = started_with(secret);
        assert_eq!(started, "");
        assert!(
            why.starts_with("The secret s has no text, or "),
            "{secret}: {why}"
        );
    }
}
