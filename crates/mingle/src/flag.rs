use tokio::sync::watch;

/// Something that is decided once, and that many may wait for.
#[derive(Debug)]
pub(crate) struct Flag(watch::Sender<Option<bool>>);

impl Flag {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Decides it, unless it is decided.
    pub(crate) fn settle(&self, value: bool) {
        self.0.send_if_modified(|state| {
            let open = state.is_none();
            state.get_or_insert(value);
            open
        });
    }

    /// Waits until it is decided, and says how.
    pub(crate) async fn wait(&self) -> bool {
        let mut receiver = self.0.subscribe();
        let settled = receiver.wait_for(Option::is_some).await;
        // The sender is here, so that the wait can't fail.
        settled.is_ok_and(|value| *value == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_decision_stands() {
        let flag = Flag::new();
        flag.settle(true);
        flag.settle(false);
        assert!(flag.wait().await);
    }
}
