//! Images: pulled from a registry with a password, through a registry that is busy at first; built from a folder.

use super::world::{World, on_each_engine, settings};
use escadre_drivers::edge::NoEdge;
use escadre_drivers::podman::door::Call;
use escadre_drivers::podman::{Credentials, Engine};
use escadre_engine::ports::{Changed, Driver as _, Error, Scope};
use escadre_model::desired::{Body, Image, PullPolicy};
use escadre_model::hash::Hash;
use escadre_model::ids::Kind;
use escadre_model::secret::Secret;
use escadre_plan::step::Act;
use serde_json::json;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Debian's registry with one user; ends with the test.
struct Registry {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The test is over either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn registry() -> Option<Registry> {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Ok(users) = Command::new("htpasswd").args(["-Bbn", "deploy", "pass-word"]).output() else {
        super::world::skip("registry", "htpasswd is not installed");
        return None;
    };
    std::fs::write(folder.path().join("users"), users.stdout).unwrap();
    let config = format!(
        "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {0}/data }} }}\n\
         http: {{ addr: \"127.0.0.1:{port}\" }}\nauth: {{ htpasswd: {{ realm: test, path: {0}/users }} }}\n",
        folder.path().display()
    );
    std::fs::write(folder.path().join("config.yml"), config).unwrap();
    let started = Command::new("docker-registry")
        .arg("serve")
        .arg(folder.path().join("config.yml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        super::world::skip("registry", "docker-registry is not installed");
        return None;
    };
    let registry = Registry { child, port, _folder: folder };
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Some(registry);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the registry does not answer");
}

/// Passes connections on to the registry; the first so many are answered 503.
async fn busy(registry: u16, refusals: u32) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let Ok((mut client, _)) = listener.accept().await else { return };
            if count.fetch_add(1, Ordering::SeqCst) < refusals {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = client.read(&mut request).await;
                    let answer =
                        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
                    let _ = client.write_all(answer.as_bytes()).await;
                });
                continue;
            }
            tokio::spawn(async move {
                let at: SocketAddr = ([127, 0, 0, 1], registry).into();
                if let Ok(mut server) = TcpStream::connect(at).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    (port, seen)
}

fn image(world: &mut World, reference: &str, pull: PullPolicy, build: Option<Hash>, payload: serde_json::Value) {
    let body = Image { reference: reference.into(), pull, build, platform: None };
    world.add(Kind::Image, reference, payload, Body::Image(body));
}

async fn ensure(world: &mut World, reference: &str, build: Option<Hash>) -> Result<(Changed, Arc<str>), Error> {
    let act = Act::EnsureImage { reference: reference.into(), refresh: false, build, expect: None };
    let outcome = world.perform(&world.step(world.on(Kind::Image, reference), act)).await?;
    Ok((outcome.changed, outcome.image.unwrap_or_default()))
}

async fn forget(world: &World, reference: &str, id: &str) {
    let digits = id.rsplit(':').next().and_then(|hex| hex.get(..12)).unwrap_or_default();
    for name in [reference.to_owned(), format!("localhost/escadre/keep:{digits}")] {
        let path = format!("{}/images/{}", world.engine.api().compat, name.replace('/', "%2F"));
        // It may not be there.
        let _ = world.engine.door().bytes(Call::delete("clean up", path)).await;
    }
}

on_each_engine!(an_image_is_pulled_with_a_password_and_patience, "pull");
async fn an_image_is_pulled_with_a_password_and_patience(mut world: World) {
    let Some(registry) = registry().await else { return };
    let direct = format!("127.0.0.1:{}", registry.port);
    // An image of our own, so that nobody else's names move.
    let own = format!("localhost/podtest/pull:{}", registry.port);
    let context = world.state.path().join("app");
    std::fs::create_dir_all(&context).unwrap();
    std::fs::write(context.join("data"), registry.port.to_string()).unwrap();
    std::fs::write(
        context.join("Dockerfile"),
        "FROM scratch\nCOPY data /data\nEXPOSE 8080\nHEALTHCHECK --interval=7s CMD [\"/x\"]\n",
    )
    .unwrap();
    let hash = Hash::of(registry.port.to_string());
    image(&mut world, &own, PullPolicy::Missing, Some(hash.clone()), json!({"build": {"context": "app"}}));
    let (changed, id) = ensure(&mut world, &own, Some(hash.clone())).await.unwrap();
    assert_eq!(changed, Changed::Added);
    assert_eq!(ensure(&mut world, &own, Some(hash)).await.unwrap(), (Changed::NotNeeded, id.clone()));
    let seen = world.engine.observe(&Scope::Instances(Vec::new()), &[own.as_str().into()].into()).await.unwrap();
    let seen = &seen.host.images[own.as_str()];
    assert_eq!((seen.id.as_ref(), seen.ports.as_slice()), (id.as_ref(), [8080].as_slice()));
    assert_eq!(seen.health.as_ref().map(|check| check.interval_ms), Some(7000), "the image's own check is seen");
    let auth = base64("{\"username\":\"deploy\",\"password\":\"pass-word\"}");
    let encoded = own.replace('/', "%2F");
    let call = match world.engine.api().libpod.as_ref() {
        Some(libpod) => Call::post("push", format!("{libpod}/images/{encoded}/push"))
            .query("destination", format!("{direct}/shop/web:1"))
            .query("tlsVerify", "false"),
        // Docker pushes what is called so.
        None => {
            let compat = world.engine.api().compat.clone();
            let tag = Call::post("tag", format!("{compat}/images/{encoded}/tag"));
            let tag = tag.query("repo", format!("{direct}/shop/web")).query("tag", "1");
            world.engine.door().bytes(tag).await.unwrap();
            Call::post("push", format!("{compat}/images/{direct}%2Fshop%2Fweb/push")).query("tag", "1")
        }
    };
    let call = call.header(http::HeaderName::from_static("x-registry-auth"), auth);
    let pushed = world.engine.door().bytes(call).await.unwrap();
    assert!(!String::from_utf8_lossy(&pushed).contains("\"error\""), "{}", String::from_utf8_lossy(&pushed));
    forget(&world, &own, &id).await;
    forget(&world, &format!("{direct}/shop/web:1"), &id).await;

    // Without credentials: refused at once, and said what to do.
    let denied = format!("{direct}/shop/web:1");
    image(&mut world, &denied, PullPolicy::Missing, None, json!({}));
    let error = ensure(&mut world, &denied, None).await.err().unwrap().to_string();
    assert!(error.contains("wants other credentials"), "{error}");

    // Busy twice, then served.
    let (port, seen) = busy(registry.port, 2).await;
    let host = format!("127.0.0.1:{port}");
    let mut settings = settings(&world.state, world.which.at("pull").unwrap());
    let credentials = Credentials { user: "deploy".into(), password: Secret::new(b"pass-word".to_vec()) };
    settings.registries.insert(host.as_str().into(), credentials);
    world.engine = Engine::connect(settings, Arc::new(NoEdge)).await.unwrap();
    let reference = format!("{host}/shop/web:1");
    image(&mut world, &reference, PullPolicy::Missing, None, json!({}));
    let (changed, pulled) = ensure(&mut world, &reference, None).await.unwrap();
    assert_eq!((changed, pulled.as_ref()), (Changed::Added, id.as_ref()));
    assert!(seen.load(Ordering::SeqCst) > 2, "the registry was asked again");
    assert_eq!(ensure(&mut world, &reference, None).await.unwrap(), (Changed::NotNeeded, pulled.clone()));

    let absent = format!("{host}/shop/web:9");
    image(&mut world, &absent, PullPolicy::Missing, None, json!({}));
    let error = ensure(&mut world, &absent, None).await.err().unwrap().to_string();
    assert!(error.contains("has no such image or tag"), "{error}");
    image(&mut world, &absent, PullPolicy::Never, None, json!({}));
    let error = ensure(&mut world, &absent, None).await.err().unwrap().to_string();
    assert!(error.contains("pull_policy: never"), "{error}");
    forget(&world, &reference, &pulled).await;
}

on_each_engine!(a_build_that_fails_says_why, "build");
async fn a_build_that_fails_says_why(mut world: World) {
    let inline = "FROM scratch\nCOPY missing /x\n";
    image(
        &mut world,
        "localhost/podtest/bad:1",
        PullPolicy::Missing,
        Some(Hash::of("x")),
        json!({"build": {"context": ".", "dockerfile_inline": inline}}),
    );
    let error = ensure(&mut world, "localhost/podtest/bad:1", Some(Hash::of("x"))).await.err().unwrap().to_string();
    assert!(error.contains("its build failed") && error.contains("missing"), "{error}");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode(text)
}
