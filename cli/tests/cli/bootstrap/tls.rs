//! Over https, with a certificate authority of the company's own.

use std::fs;

use podid::Exit;

use super::fixture::Bare;
use super::person::Person;
use super::server::Server;

#[test]
fn a_certificate_is_trusted_by_flag_or_by_gits_setting_and_else_not() {
    let bare = Bare::synced();
    let (server, certificate) = Server::with_tls(&bare);
    let url = server.tls_url("writer:hunter2@", "fleet.git");
    let untrusted = Person::new("").bootstrap(&url, &[]);
    assert_eq!(untrusted.exit, Exit::Failed);
    assert!(
        untrusted.err.contains("127.0.0.1 does not answer"),
        "{}",
        untrusted.err
    );
    assert!(untrusted.err.contains("certificate"), "{}", untrusted.err);

    let person = Person::new("[http]\n\tsslCAInfo = ~/ca.pem\n");
    let ca = person.home.path().join("ca.pem");
    fs::write(&ca, certificate).unwrap();
    let ran = person.bootstrap(&url, &["--branch=by-setting"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let flag = ["--branch=by-flag", "--ca-file", ca.to_str().unwrap()];
    let ran = Person::new("").bootstrap(&url, &flag);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(
        bare.last("by-flag").parent_id(0),
        bare.last("by-setting").parent_id(0)
    );
}

#[test]
fn a_file_without_certificates_is_named() {
    let bare = Bare::synced();
    let (server, _) = Server::with_tls(&bare);
    let url = server.tls_url("writer:hunter2@", "fleet.git");
    let person = Person::new("");
    let ca = person.home.path().join("ca.pem");
    for (text, words) in [
        (None, "cannot read the certificates in"),
        (Some("x"), "holds no certificate"),
    ] {
        if let Some(text) = text {
            fs::write(&ca, text).unwrap();
        }
        let ran = person.bootstrap(&url, &["--ca-file", ca.to_str().unwrap()]);
        assert_eq!(ran.exit, Exit::Failed);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
}
