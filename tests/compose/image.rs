//! The images of the Dockerfile, which `scripts/stand-in-images` has built around programs of this machine: what is in them, how
//! large they are, and that they come out the same twice.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::stack::{Stack, run, setting};

/// What a registry would send of one image, which has no base that is not ours. A debug build keeps to it, too, without
/// its symbols.
const MOST: usize = 15_000_000;

struct Image {
    /// Of the Dockerfile.
    target: &'static str,
    program: &'static str,
    name: String,
    user: &'static str,
}

fn images(stack: &Stack) -> [Image; 2] {
    [
        Image {
            target: "shortener",
            program: "shortener",
            name: stack.inspect("app1", "{{.Config.Image}}"),
            user: "10001:10001",
        },
        Image {
            target: "operator",
            program: "shortener-operator",
            name: setting("OPERATOR_IMAGE"),
            user: "65532:65532",
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_small() {
    let stack = Stack::healthy().await;
    for Image { name, .. } in images(&stack) {
        let size = run(Command::new("sh").args(["-c", "docker save $0 | gzip | wc -c", &name]));
        let size: usize = size.parse().expect("a number");
        harness::soak::report(&format!("{name} has {size} bytes, compressed"));
        assert!(size < MOST, "{name} has {size} bytes, compressed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_has_one_program_and_no_shell() {
    let stack = Stack::healthy().await;
    for Image { name, program, .. } in images(&stack) {
        let container = Container::of(&name);
        let listed = ["-c", "docker export $0 | tar --list", &container.0];
        let listed = run(Command::new("sh").args(listed));
        let programs: Vec<_> = listed
            .lines()
            .filter(|path| path.contains("bin/") && !path.ends_with('/'))
            .collect();
        assert_eq!(programs, [format!("usr/local/bin/{program}")], "{name}");

        let version = docker(&["run", "--rm", "--read-only", &name, "--version"]);
        assert!(version.starts_with(&format!("{program} ")), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_says_what_it_is() {
    let stack = Stack::healthy().await;
    for image in images(&stack) {
        let config = docker(&["inspect", "--format", "{{json .Config}}", &image.name]);
        let config: Value = serde_json::from_str(&config).expect("it is JSON");
        assert_eq!(config["User"], image.user);
        let label = |name: &str| &config["Labels"][format!("org.opencontainers.image.{name}")];
        assert_eq!(label("title"), image.program);
        assert_eq!(label("licenses"), "MIT OR Apache-2.0");
        for name in ["description", "revision", "version"] {
            let is_said = label(name).as_str().is_some_and(|text| !text.is_empty());
            assert!(is_said, "{name}: {config:#}");
        }
    }
    let check = stack.inspect("app1", "{{json .Config.Healthcheck.Test}}");
    assert_eq!(check, r#"["CMD","shortener","healthcheck"]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_program_makes_the_same_image() {
    let stack = Stack::healthy().await;
    for image in images(&stack) {
        let again = build_again(&image);
        let layers = |name: &str| docker(&["inspect", "--format", "{{json .RootFS}}", name]);
        let [first, second] = [&image.name, &again].map(|name| layers(name));
        docker(&["rmi", "--force", &again]);
        assert_eq!(first, second, "{}", image.name);
    }
}

/// Builds an image from nothing but the Dockerfile, what it copies, and the program of an image. Which one it is now.
fn build_again(image: &Image) -> String {
    let context = tempfile::tempdir().expect("there is room");
    let folder = |path: &str| {
        let folder = context.path().join(path);
        fs::create_dir_all(&folder).expect("it can be made");
        folder
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace");
    let copy = |file: &str, to: &Path| _ = fs::copy(root.join(file), to).expect("it can be read");
    copy("Dockerfile", &context.path().join("Dockerfile"));
    copy(
        "deploy/image/root.sh",
        &folder("deploy/image").join("root.sh"),
    );
    let container = Container::of(&image.name);
    let program = format!("{}:/usr/local/bin/{}", container.0, image.program);
    let prebuilt = folder("deploy/prebuilt");
    docker(&["cp", &program, &prebuilt.to_string_lossy()]);
    docker(&[
        "build",
        "--quiet",
        "--no-cache",
        "--target",
        image.target,
        "--build-arg",
        "BINARIES=prebuilt",
        &context.path().to_string_lossy(),
    ])
}

/// A container that was never started. It goes with this value.
struct Container(String);

impl Container {
    fn of(image: &str) -> Self {
        Self(docker(&["create", image]))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Its volume, too.
        docker(&["rm", "--volumes", &self.0]);
    }
}

/// Debian's own client, which needs no plugin to build.
fn docker(arguments: &[&str]) -> String {
    run(Command::new("/usr/bin/docker")
        .env("DOCKER_BUILDKIT", "1")
        .args(arguments))
}
