//! A pod: what the kernel has of one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::{Connection, Route};
use podid_lab::net::{Namespace, PodLink, host_link_name, in_namespace};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::test_node::{TestNode, handle, new_namespace};
use super::{TOKEN_URL, objects};

/// Longest time any request of a test takes; longer than every bound of the daemon it uses.
const PATIENCE: &str = "40";

/// A pod of a [`TestNode`]. Its process ends with it.
#[derive(Debug)]
pub struct Pod {
    /// The pod's uid.
    pub uid: String,
    /// The pod's address.
    pub address: Ipv4Addr,
    namespace: Namespace,
    _held: File,
    cgroup: PathBuf,
    processes: Vec<Child>,
}

/// curl's exit codes of a connection that ended before the answer: "empty reply" (52), and "reset" while curl sends (55)
/// and while it reads (56).
pub const CUT_OFF: [i32; 3] = [52, 55, 56];

/// What curl got.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The body, read as JSON; `Null` when it is not.
    pub body: Value,
    /// curl's own exit code: 7 is "connection refused", 28 "no answer in time".
    pub exit: i32,
    /// Seconds it took.
    pub seconds: f64,
}

impl Answer {
    /// The token in it.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.body["access_token"].as_str()
    }
}

impl TestNode {
    /// Makes a pod: a namespace with a link to the node, and a process in a cgroup of its uid.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_pod(&self) -> Result<Pod> {
        let uid = uuid::Uuid::new_v4().to_string();
        let address = self
            .pool
            .lock()
            .map_err(|_| anyhow::anyhow!("another thread panicked"))?
            .allocate(&uid)?;
        let held = new_namespace()?;
        let namespace = handle(&held);
        let cgroup = self
            .cgroup
            .join(format!("kubepods/burstable/pod{uid}/pause"));
        fs::create_dir_all(&cgroup)?;
        let mut pod = Pod {
            uid,
            address,
            namespace,
            _held: held,
            cgroup,
            processes: Vec::new(),
        };
        pod.run_in(&pod.namespace.clone())?;
        self.block_on(self.network.attach(&pod.link()))?;
        Ok(pod)
    }
}

impl Pod {
    fn run_in(&mut self, namespace: &Namespace) -> Result<()> {
        let process = in_namespace(namespace.path(), || {
            Command::new("sleep")
                .arg("infinity")
                .stdin(Stdio::null())
                .spawn()
        })??;
        let procs = self.cgroup.join("cgroup.procs");
        let moved = fs::write(procs, process.id().to_string());
        self.processes.push(process);
        Ok(moved?)
    }

    /// Makes network namespaces inside the pod, with a process in each, as a process with SYS_ADMIN
    /// could.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn make_namespaces(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let held = new_namespace()?;
            self.run_in(&handle(&held))?;
        }
        Ok(())
    }

    fn link(&self) -> PodLink {
        PodLink {
            uid: self.uid.clone(),
            address: self.address,
            namespace: self.namespace.clone(),
        }
    }

    /// The file that names the pod's network namespace.
    #[must_use]
    pub fn namespace(&self) -> &Path {
        self.namespace.path()
    }

    /// The name of the node's end of the pod's link.
    #[must_use]
    pub fn port(&self) -> String {
        host_link_name(&self.uid)
    }

    /// The pod as the API server has it when it runs, with the label `aadpodidbinding`.
    #[must_use]
    pub fn running(&self, name: &str, label: &str) -> Value {
        objects::pod(name, &self.uid, label, Some(self.address))
    }

    /// Asks for a token with curl, as the tutorials do.
    ///
    /// # Panics
    /// When curl cannot be run.
    #[must_use]
    pub fn ask(&self) -> Answer {
        self.curl(&["-H", "Metadata:true", TOKEN_URL])
    }

    /// Asks for a token of one identity.
    ///
    /// # Panics
    /// When curl cannot be run.
    #[must_use]
    pub fn ask_for(&self, client_id: &str) -> Answer {
        self.curl(&[
            "-H",
            "Metadata:true",
            &format!("{TOKEN_URL}&client_id={client_id}"),
        ])
    }

    /// Asks with the source address of somebody else.
    ///
    /// # Panics
    /// When curl cannot be run.
    #[must_use]
    pub fn ask_as(&self, address: Ipv4Addr) -> Answer {
        let address = address.to_string();
        self.curl(&[
            "--interface",
            &address,
            "-m",
            "3",
            "-H",
            "Metadata:true",
            TOKEN_URL,
        ])
    }

    /// Runs curl in the pod.
    ///
    /// # Panics
    /// When curl cannot be run.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn curl(&self, arguments: &[&str]) -> Answer {
        let output = in_namespace(self.namespace(), || {
            Command::new("curl")
                .args(["-s", "-m", PATIENCE, "-w", "\n%{http_code} %{time_total}"])
                .args(arguments)
                .output()
        });
        let output = output.expect("enter the pod").expect("run curl");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, numbers) = text.rsplit_once('\n').unwrap_or_default();
        let (status, seconds) = numbers.split_once(' ').unwrap_or_default();
        Answer {
            status: status.parse().unwrap_or_default(),
            body: serde_json::from_str(body).unwrap_or_default(),
            exit: output.status.code().unwrap_or(-1),
            seconds: seconds.parse().unwrap_or_default(),
        }
    }

    /// Sends bytes to an address and returns all that comes back.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn send(&self, to: SocketAddrV4, bytes: &[u8]) -> Result<String> {
        self.send_as(Ipv4Addr::UNSPECIFIED, to, bytes, Duration::from_secs(30))
    }

    /// The same from one of its addresses, until nothing comes for so long.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn send_as(
        &self,
        from: Ipv4Addr,
        to: SocketAddrV4,
        bytes: &[u8],
        silence: Duration,
    ) -> Result<String> {
        let mut stream: TcpStream = in_namespace(self.namespace(), || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddrV4::new(from, 0).into())?;
            socket.connect_timeout(&to.into(), Duration::from_secs(3))?;
            std::io::Result::Ok(socket.into())
        })??;
        stream.set_read_timeout(Some(silence))?;
        // Somebody who is refused half-way through may be cut off; what was said counts.
        let _cut_off = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..count]);
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Gives the pod another address, as a process with NET_ADMIN could.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take_address(&self, test_node: &TestNode, address: Ipv4Addr) -> Result<()> {
        test_node.block_on(async {
            let kernel = Connection::<Route>::new_in(self.namespace())?;
            kernel
                .add_address(Ipv4Address::new("eth0", address, 32))
                .await?;
            Ok(())
        })
    }

    /// Gives the pod's link another hardware address, as a process with NET_ADMIN could.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take_mac(&self, test_node: &TestNode, mac: &[u8]) -> Result<()> {
        let mac = <[u8; 6]>::try_from(mac)?;
        test_node.block_on(async {
            let kernel = Connection::<Route>::new_in(self.namespace())?;
            Ok(kernel.set_link_address("eth0", mac).await?)
        })
    }

    /// The hardware address of the pod's link.
    ///
    /// # Errors
    /// When it has none.
    pub fn mac(&self, test_node: &TestNode) -> Result<Vec<u8>> {
        test_node.block_on(async {
            let kernel = Connection::<Route>::new_in(self.namespace())?;
            let link = kernel.get_link_by_name("eth0").await?.context("eth0")?;
            Ok(link.address().context("a hardware address")?.to_vec())
        })
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _gone = process.kill();
            let _gone = process.wait();
        }
    }
}
