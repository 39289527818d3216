//! What is exported to a collector, as far as it needs none. `cargo xtask otel` has a real one.

use crate::process::run_refused;

#[cfg(not(feature = "otel"))]
#[test]
fn a_program_without_exports_says_how_to_get_one_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mingle.toml");
    std::fs::write(&file, "otlp_endpoint = \"http://127.0.0.1:4318\"\n").unwrap();
    for args in [
        &["agent", "--otlp-endpoint", "http://127.0.0.1:4318"][..],
        &["config", "check", file.to_str().unwrap()],
    ] {
        assert_eq!(
            run_refused(args, 2),
            "--otlp-endpoint \"http://127.0.0.1:4318\": this program was built without exports; \
             drop it, or build one with --features otel"
        );
    }
}

#[cfg(feature = "otel")]
mod with_exports {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::run_refused;
    use crate::process::{Agent, mingle, sentence};

    #[test]
    fn a_wrong_endpoint_is_refused_with_what_would_be_right() {
        for endpoint in ["collector:4318", "grpc://127.0.0.1:4317", "http://a:b@127.0.0.1", ""] {
            let told = run_refused(&["agent", "--otlp-endpoint", endpoint], 2);
            let shown = if endpoint.contains('@') { "(a URL with secrets)" } else { endpoint };
            assert!(told.starts_with(&format!("--otlp-endpoint {shown:?} is no URL")), "{told}");
            assert!(told.contains("as http://127.0.0.1:4318"), "{told}");
        }
        let told = run_refused(&["agent", "--otlp-endpoint", "https://127.0.0.1:4318"], 2);
        assert!(told.contains("name a PEM file in OTEL_EXPORTER_OTLP_CERTIFICATE"), "{told}");
    }

    #[test]
    fn wrong_variables_are_refused_and_no_secret_is_shown() {
        let args = ["agent", "--otlp-endpoint", "http://127.0.0.1:4318"];
        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "10s"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem"),
        ] {
            let told = sentence(&args, &mingle(&args).env(variable, value).output().unwrap(), 2);
            assert!(told.contains(variable) || told.contains(value), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }

    /// Takes connections, and never answers.
    fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    #[test]
    fn a_collector_that_never_answers_keeps_neither_a_question_nor_the_end() {
        let (_silent, url) = silent();
        let mut agent = Agent::start("a", &["--otlp-endpoint", &url]);
        agent.wait_for_log("exporting metrics and traces");
        assert!(agent.ask(&["info"]).contains("1 alive"));
        let began = Instant::now();
        agent.ask(&["leave"]);
        assert_eq!(agent.exit_code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    }
}
