//! Host names are resolved inside an image: the C library that is linked in has both ways built in.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use podid_image::ShippedProgram;

use crate::fixture::Shipped;

/// Port of the API server that the operator is to find.
const PORT: u16 = 6443;

/// The longest wait for a connection.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that ends with its test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `test` on a thread with a network of its own, which has nothing but a loopback.
fn alone(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        test();
    });
    thread.join().unwrap();
}

/// Starts the operator in the files of its image, to look for its API server by a name.
fn operator(root: &Path) -> Ends {
    let image = Shipped::read(ShippedProgram::PodidOperator);
    image.unpack(root);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: 'https://api.podid.test:{PORT}', \
         insecure-skip-tls-verify: true}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    fs::write(root.join("kubeconfig"), kubeconfig).unwrap();
    let mut command = image.command(root);
    command.args(["--kubeconfig=/kubeconfig", "--credential=managed-identity"]);
    Ends(command.stderr(Stdio::null()).spawn().unwrap())
}

/// Waits until somebody connects and says something.
fn connected(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let began = Instant::now();
    loop {
        if let Ok((mut connection, _)) = listener.accept() {
            connection.set_nonblocking(false).unwrap();
            let mut hello = [0; 1];
            connection.read_exact(&mut hello).unwrap();
            // A handshake of TLS.
            assert_eq!(hello, [0x16]);
            return;
        }
        assert!(began.elapsed() < LIMIT, "nobody connected");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Answers questions for addresses of version 4 with `address`, and others with nothing.
fn answer(server: &UdpSocket, address: Ipv4Addr) {
    let mut question = [0; 512];
    let Ok((length, client)) = server.recv_from(&mut question) else {
        return;
    };
    // After the header of 12 bytes: the name, a byte 0, two bytes of type and two of class.
    let end = 12
        + question[12..length]
            .iter()
            .position(|&byte| byte == 0)
            .unwrap()
        + 5;
    let is_a = question[end - 4..end - 2] == [0, 1];
    let mut reply = question[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    reply.extend(&question[12..end]);
    if is_a {
        reply.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    server.send_to(&reply, client).unwrap();
}

#[test]
fn a_name_in_the_hosts_file_is_found() {
    alone(|| {
        let root = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 3), PORT)).unwrap();
        let _operator = {
            fs::create_dir(root.path().join("etc")).unwrap();
            fs::write(root.path().join("etc/hosts"), "127.0.0.3 api.podid.test\n").unwrap();
            operator(root.path())
        };
        connected(&listener);
    });
}

#[test]
fn a_name_in_the_dns_is_found() {
    alone(|| {
        let root = tempfile::tempdir().unwrap();
        let address = Ipv4Addr::new(127, 0, 0, 4);
        let listener = TcpListener::bind((address, PORT)).unwrap();
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
        thread::spawn(move || {
            loop {
                answer(&server, address);
            }
        });
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(
            root.path().join("etc/resolv.conf"),
            "nameserver 127.0.0.1\n",
        )
        .unwrap();
        let _operator = operator(root.path());
        connected(&listener);
    });
}
