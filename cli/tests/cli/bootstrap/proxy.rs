//! Through a proxy, as companies have them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::{fs, thread};

use podid::Exit;

use super::fixture::Bare;
use super::person::Person;
use super::server::Server;

/// Carries what clients ask it to, by HTTP's CONNECT, until the process ends; what they asked for.
fn proxy() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || carry(client, |head| drop(sender.send(head.to_owned()))));
        }
    });
    (address, asked)
}

fn carry(mut client: TcpStream, asked: impl Fn(&str)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap() == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    asked(&head);
    let target = head.split(' ').nth(1).unwrap();
    if !head.starts_with("CONNECT ") {
        client
            .write_all(b"HTTP/1.1 405 Only CONNECT\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        return;
    }
    let server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    let pairs = [
        (client.try_clone().unwrap(), server.try_clone().unwrap()),
        (server, client),
    ];
    for (mut from, mut to) in pairs {
        thread::spawn(move || {
            // Either side may hang up at any time.
            let _closed = std::io::copy(&mut from, &mut to);
            let _closed = to.shutdown(std::net::Shutdown::Write);
        });
    }
}

#[test]
fn a_proxy_of_the_environment_or_of_gits_settings_is_gone_through() {
    let bare = Bare::synced();
    let (server, certificate) = Server::with_tls(&bare);
    let url = server.tls_url("writer:hunter2@", "fleet.git");
    let host = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    let (proxy, asked) = proxy();
    let by_setting = format!("[http]\n\tproxy = http://{proxy}\n");
    for (person, branch) in [
        (
            Person::new("").with("HTTPS_PROXY", &format!("http://{proxy}")),
            "by-variable",
        ),
        (
            Person::new("").with("https_proxy", &format!("http://me:hunter3@{proxy}")),
            "by-login",
        ),
        (Person::new(&by_setting), "by-setting"),
    ] {
        let ca = person.home.path().join("ca.pem");
        fs::write(&ca, &certificate).unwrap();
        let branch_flag = format!("--branch={branch}");
        let flags = [branch_flag.as_str(), "--ca-file", ca.to_str().unwrap()];
        let ran = person.bootstrap(&url, &flags);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{branch}");
        let heads: Vec<String> = asked.try_iter().collect();
        assert!(!heads.is_empty(), "{branch}");
        for head in heads {
            assert!(head.starts_with(&format!("CONNECT {host} ")), "{head}");
            // The repository's password is for the repository.
            assert!(!head.contains("d3JpdGVyOmh1bnRlcjI="), "{head}");
            let has_login = head.to_lowercase().contains("proxy-authorization: basic");
            assert_eq!(has_login, branch == "by-login", "{head}");
        }
    }
    // Where no proxy is wanted, none is asked.
    let person = Person::new("")
        .with("HTTPS_PROXY", &format!("http://{proxy}"))
        .with("NO_PROXY", "127.0.0.1");
    let ca = person.home.path().join("ca.pem");
    fs::write(&ca, &certificate).unwrap();
    let flags = ["--branch=direct", "--ca-file", ca.to_str().unwrap()];
    let ran = person.bootstrap(&url, &flags);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(asked.try_iter().count(), 0);
}

#[test]
fn a_proxy_that_is_none_is_named_and_its_password_is_not() {
    let bare = Bare::synced();
    let (server, _) = Server::with_tls(&bare);
    let url = server.tls_url("writer:hunter2@", "fleet.git");
    // It hangs up on everybody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(drop));
    for (settings, words) in [
        (
            "[http]\n\tproxy = \"http://[\"\n".to_owned(),
            "http.proxy of git's configuration is no proxy",
        ),
        (
            format!("[http]\n\tproxy = http://me:hunter3@{gone}\n"),
            "127.0.0.1 does not answer",
        ),
    ] {
        let ran = Person::new(&settings).bootstrap(&url, &[]);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{ran:?}");
        assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
        assert!(!ran.err.contains("hunter"), "{}", ran.err);
    }
}
