//! Looking at one object until it is as it should be.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Kubectl;

/// How long one step may take: Flux looks again at a dependency after 30 seconds, a kubelet at a container after more.
const LIMIT: Duration = Duration::from_secs(240);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

#[allow(clippy::expect_used)]
impl Kubectl<'_> {
    /// An object, such as `deployment/web`; `None` when it is not there.
    ///
    /// # Panics
    /// When the API server says anything else.
    #[must_use]
    pub fn find(&self, object: &str, namespace: &str) -> Option<Value> {
        let get = ["--namespace", namespace, "get", object, "--output=json"];
        let output = self.output(&get);
        if output.status.success() {
            return Some(serde_json::from_slice(&output.stdout).expect("JSON"));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // A kind that Flux has not applied yet is not there either.
        let is_missing = said.contains("NotFound") || said.contains("doesn't have a resource type");
        assert!(is_missing, "{object}: {said}");
        None
    }

    /// Waits until an object is there.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for(&self, object: &str, namespace: &str) -> Value {
        self.wait_until(object, namespace, "there", |_| true)
    }

    /// Waits until an object is there and `is` so, which `state` says in words.
    ///
    /// # Panics
    /// When it does not become so; with the object as it is, and what Flux has.
    pub fn wait_until(
        &self,
        object: &str,
        namespace: &str,
        state: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        self.look(&format!("{object} is {state}"), (object, namespace), || {
            self.find(object, namespace).filter(&is)
        })
    }

    /// Waits until an object is gone.
    ///
    /// # Panics
    /// When it stays.
    pub fn wait_until_gone(&self, object: &str, namespace: &str) {
        self.look(&format!("{object} is gone"), (object, namespace), || {
            self.find(object, namespace).is_none().then_some(())
        });
    }

    fn look<T>(&self, what: &str, object: (&str, &str), found: impl Fn() -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(found) = found() {
                return found;
            }
            let state = || {
                let (name, namespace) = object;
                let now = ["--namespace", namespace, "get", name, "--output=yaml"];
                let flux = ["get", "kustomizations,helmreleases", "-A", "--output=yaml"];
                [&now[..], &flux].map(|arguments| self.output(arguments))
            };
            assert!(Instant::now() < end, "waited until {what}: {:?}", state());
            std::thread::sleep(PAUSE);
        }
    }
}
