//! What stands for the export in a build without it: the setting is known, and refused.

use std::convert::Infallible;
use std::sync::Arc;

use tracing_subscriber::layer::Identity;

use crate::agent::Running;
use crate::client;
use crate::exit::Failure;

/// There is none.
pub(crate) struct Collector(Infallible);

impl Collector {
    pub(crate) fn new(endpoint: &str) -> Result<Self, Failure> {
        let given = client::without_secrets(endpoint);
        Err(Failure::Input(format!(
            "--otlp-endpoint {given:?}: this program was built without exports; drop it, or build \
             one with --features otel"
        )))
    }

    pub(crate) fn export(&self, _node: &str) -> Export {
        match self.0 {}
    }
}

/// There is none.
pub(crate) struct Export(Infallible);

impl Export {
    pub(crate) fn layer(&self) -> Identity {
        match self.0 {}
    }

    pub(crate) fn start(self, _running: &Arc<Running>) -> Exporting {
        match self.0 {}
    }
}

/// There is none.
pub(crate) struct Exporting(Infallible);

impl Exporting {
    #[expect(clippy::unused_async, reason = "as of the one that exports")]
    pub(crate) async fn stop(self) {
        match self.0 {}
    }
}
