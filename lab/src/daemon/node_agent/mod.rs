//! Nodes that run containers: on each a real containerd, kubelet and kube-proxy, in the node's
//! namespaces, supervised as the programs of the control plane are.
//!
//! The stand-in in `kubelet` does a kubelet's part for nodes that run none.

mod config;
mod error;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use serde_json::Value;
use tokio::net::UnixStream;

use super::pki::Pki;
use super::supervise::{Program, Supervisor};
use crate::containerd;
use crate::image::{Image, box_of_commands};
use crate::layout::NodeLayout;
use crate::net::Fabric;
use crate::options::{Network, Target};
use crate::state::StateDir;
use crate::tools::Toolset;
use config::Files;

pub(super) use error::NodeAgentError;

/// How long containerd may take to answer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks whether it does.
const PAUSE: Duration = Duration::from_millis(50);

/// What the agents of all nodes are started with.
pub(crate) struct NodeAgents<'a> {
    pub(crate) tools: &'a Toolset,
    pub(crate) dir: &'a StateDir,
    pub(crate) pki: &'a Pki,
    /// Environment of every program in the lab.
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) network: Network,
    /// What nodes are registered with, as `key=value:effect`.
    pub(crate) taints: &'a [String],
    pub(crate) supervisor: &'a Supervisor,
}

impl NodeAgents<'_> {
    /// Starts the agents of every node of `fabric`. Nodes register by themselves from then on.
    pub(crate) async fn start(&self, fabric: &Fabric) -> Result<(), NodeAgentError> {
        let images = self.pack_images()?;
        let nodes = fabric
            .nodes()
            .map(|node| self.start_on(&node.layout, node.pid(), &images));
        try_join_all(nodes).await.map(drop)
    }

    /// Image archives that every node gets: that of the first container of a pod, and one with
    /// a shell.
    fn pack_images(&self) -> Result<[PathBuf; 2], NodeAgentError> {
        let pause = pause(&self.tools.bin("pause"));
        let commands = box_of_commands().map_err(NodeAgentError::Image)?;
        let pack = |name: &str, image: &Image| {
            let file = self.dir.file(name);
            image.pack(&file).map_err(NodeAgentError::Image)?;
            Ok::<_, NodeAgentError>(file)
        };
        Ok([pack("pause.tar", &pause)?, pack("box.tar", &commands)?])
    }

    async fn start_on(
        &self,
        layout: &NodeLayout,
        pid: u32,
        images: &[PathBuf],
    ) -> Result<(), NodeAgentError> {
        let files = self.write_files(layout)?;
        let start = |program| self.supervisor.start(program);
        start(self.containerd(layout, &files))?;
        answers(pid, &layout.name).await?;
        for image in images {
            self.import(layout, image).await?;
        }
        start(self.kubelet(layout, &files))?;
        Ok(start(self.kube_proxy(layout, &files))?)
    }

    fn containerd(&self, layout: &NodeLayout, files: &Files) -> Program {
        let argv = vec![
            self.bin("containerd"),
            "--config".to_owned(),
            text(&files.containerd()),
        ];
        self.program("containerd", layout, argv)
    }

    fn kube_proxy(&self, layout: &NodeLayout, files: &Files) -> Program {
        let argv = vec![
            self.bin("kube-proxy"),
            format!("--config={}", files.kube_proxy().display()),
        ];
        self.program("kube-proxy", layout, argv)
    }

    /// Makes the image in the archive known to containerd on a node.
    async fn import(&self, layout: &NodeLayout, archive: &Path) -> Result<(), NodeAgentError> {
        let argv = containerd::import(&self.tools.bin("ctr"), archive);
        let mut program = self.program("image-import", layout, argv);
        program.restart = false;
        Ok(self.supervisor.run_to_end(program).await?)
    }

    fn kubelet(&self, layout: &NodeLayout, files: &Files) -> Program {
        let kubeconfig = files.folder.join("kubelet.kubeconfig");
        let argv = vec![
            self.bin("kubelet"),
            format!("--config={}", files.kubelet().display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--hostname-override={}", layout.name),
            format!("--node-ip={}", layout.address),
            format!(
                "--node-labels=lab.podid.dev/node-kind={}",
                layout.kind.name()
            ),
            format!("--register-with-taints={}", self.taints.join(",")),
        ];
        self.program("kubelet", layout, argv)
    }

    fn write_files(&self, layout: &NodeLayout) -> Result<Files, NodeAgentError> {
        let folder = format!("nodes/{}", layout.name);
        let files = Files {
            folder: self.dir.file(&folder),
        };
        let cni = files.cni();
        std::fs::create_dir_all(&cni).map_err(|source| NodeAgentError::Folder {
            path: cni.clone(),
            source,
        })?;
        self.pki.write_node(self.dir, &folder, layout)?;
        let json = |value: Value| format!("{value:#}\n");
        let bin = self.tools.path().join("bin");
        let kubelet = config::kubelet(&files, layout, &self.pki.ca_file);
        for (path, text) in [
            (files.containerd(), config::containerd(&files, &bin)),
            (
                cni.join("10-lab.conflist"),
                json(config::cni(self.network, layout)),
            ),
            (files.kubelet(), json(kubelet)),
            (files.kube_proxy(), json(config::kube_proxy(&files, layout))),
        ] {
            let name = path.strip_prefix(self.dir.path()).unwrap_or(&path);
            self.dir.write(&name.to_string_lossy(), text)?;
        }
        Ok(files)
    }

    /// A program of a node, with the others of its toolset and of the system on its `PATH`.
    fn program(&self, name: &str, layout: &NodeLayout, argv: Vec<String>) -> Program {
        let mut env = self.env.clone();
        let path = env.get("PATH").cloned().unwrap_or_default();
        let own = self.tools.path().join("bin");
        let path = format!("{}:{path}:/usr/sbin:/usr/bin:/sbin:/bin", own.display());
        env.insert("PATH".to_owned(), path);
        // In the node's own memory.
        env.insert("TMPDIR".to_owned(), "/tmp".to_owned());
        Program {
            name: format!("{name}-{}", layout.name),
            component: true,
            target: Target::node(&layout.name),
            argv,
            env,
            cwd: PathBuf::from("/"),
            restart: true,
        }
    }

    fn bin(&self, name: &str) -> String {
        text(&self.tools.bin(name))
    }
}

/// The image of every pod's first container; the file `program` is static.
fn pause(program: &Path) -> Image {
    Image {
        reference: config::PAUSE.to_owned(),
        entrypoint: Some("/pause".to_owned()),
        files: vec![("pause".into(), program.to_owned())],
        ..Image::default()
    }
}

/// Waits until containerd answers on the node called `name`, whose first process is `pid`.
async fn answers(pid: u32, name: &str) -> Result<(), NodeAgentError> {
    let socket = format!("/proc/{pid}/root{}", containerd::SOCKET);
    let answering = async {
        while UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(LIMIT, answering)
        .await
        .map_err(|_| NodeAgentError::Containerd(name.to_owned()))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
