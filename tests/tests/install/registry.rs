//! A real registry: the reference implementation, `distribution`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use podid_lab::tools::{self, ToolGroup};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

/// The one user of a registry that knows its users, and the password `secret` as bcrypt hides it.
const USERS: &str = "pusher:$2a$04$13Evq6hx8fW4CLKsAfEkOu1rL5QHtoPsR3xLaUDDYI3vRJVI2Wh9e\n";

/// What a registry asks of those who push.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    /// User `pusher`, password `secret`.
    Password,
    /// A TLS handshake, with a certificate that nobody trusts unless told so.
    Tls,
}

/// A registry that ends with its test.
pub(crate) struct TestRegistry {
    program: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl TestRegistry {
    pub(crate) fn start(asks: Asks) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), asks);
        let file = folder.path().join("config.json");
        fs::write(&file, serde_json::to_vec(&config).unwrap()).unwrap();
        let tools = tools::ensure(&[ToolGroup::Registry]).unwrap();
        let mut program = Command::new(tools.bin("registry"))
            .arg("serve")
            .arg(&file)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| listening(&line));
        let address = address.expect("the registry says where it listens");
        // A full pipe would stop it.
        thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        Self {
            program,
            address,
            folder,
        }
    }

    /// Host and port.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The certificate of a registry that speaks TLS.
    pub(crate) fn certificate(&self) -> std::path::PathBuf {
        self.folder.path().join("tls.crt")
    }

    /// A resource of a repository, below `/v2/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}", self.address)
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// JSON is YAML.
fn configuration(folder: &Path, asks: Asks) -> serde_json::Value {
    let mut config = serde_json::json!({
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": folder.join("data")}},
        "http": {"addr": "127.0.0.1:0", "secret": "for tests"},
    });
    match asks {
        Asks::Nothing => {}
        Asks::Password => {
            let users = folder.join("users");
            fs::write(&users, USERS).unwrap();
            config["auth"] = serde_json::json!({"htpasswd": {"realm": "tests", "path": users}});
        }
        Asks::Tls => {
            let names = vec!["127.0.0.1".to_owned()];
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
            let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
            fs::write(&certificate, cert.pem()).unwrap();
            fs::write(&key, signing_key.serialize_pem()).unwrap();
            config["http"]["tls"] = serde_json::json!({"certificate": certificate, "key": key});
        }
    }
    config
}

/// The address in a line of the log like `… msg="listening on 127.0.0.1:41234, tls" …`.
fn listening(line: &str) -> Option<SocketAddr> {
    let rest = line.split("listening on ").nth(1)?;
    rest.split(['"', ',', ' ']).next()?.parse().ok()
}
