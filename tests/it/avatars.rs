//! Operators' and accounts' own avatars: good ones are offered, bad ones are named, and neither stops anything.

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use footlight_tests::node::binary;
use footlight_tests::{NodeSetup, speech, tools};
use reqwest::{Method, StatusCode};
use serde_json::json;
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::stores;

const CLAPPER: &[u8] = include_bytes!("../../crates/avatar/assets/clapper.zip");

/// The shipped clapper with its entries changed: each may be renamed, rewritten or dropped, and others added.
fn bundle(
    mut change: impl FnMut(String, Vec<u8>) -> Option<(String, Vec<u8>)>,
    more: &[(&str, &[u8])],
) -> anyhow::Result<Vec<u8>> {
    let mut from = ZipArchive::new(Cursor::new(CLAPPER))?;
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut entry = from.by_index(index)?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if let Some((name, content)) = change(name, content) {
            to.start_file(name, SimpleFileOptions::default())?;
            to.write_all(&content)?;
        }
    }
    for (name, content) in more {
        to.start_file(*name, SimpleFileOptions::default())?;
        to.write_all(content)?;
    }
    Ok(to.finish()?.into_inner())
}

/// The clapper with some text of its manifest changed.
pub(crate) fn with_manifest(from: &str, to: &str, more: &[(&str, &[u8])]) -> anyhow::Result<Vec<u8>> {
    let changed = |name: String, content: Vec<u8>| {
        let content = if name == "manifest.json" {
            String::from_utf8_lossy(&content).replacen(from, to, 1).into_bytes()
        } else {
            content
        };
        Some((name, content))
    };
    bundle(changed, more)
}

fn render(directory: &Path, avatar: &Path) -> anyhow::Result<Output> {
    let audio = directory.join("buzz.wav");
    std::fs::write(&audio, speech::buzz(0.4, 16_000))?;
    let mut command = Command::new(binary());
    command.arg("render").arg(audio).arg("--output").arg(directory.join("out.mp4")).arg("--avatar").arg(avatar);
    command.output().context("the release binary is built by `cargo xtask test`")
}

#[test]
fn a_bundle_file_speaks() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("mine.zip");
    std::fs::write(&path, with_manifest("\"clapper\"", "\"mine\"", &[])?)?;
    let output = render(directory.path(), &path)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = tools::ffprobe(&directory.path().join("out.mp4"))?;
    ensure!(told["streams"][0]["nb_read_frames"] == "10", "{told}");
    Ok(())
}

#[test]
fn hostile_bundles_are_refused_by_name() -> anyhow::Result<()> {
    let zeros = vec![0; 80 << 20];
    let network = "{ \"mouth_network\": {\"onnx\": \"mouth.onnx\", \"face\": [128, 240, 256]},";
    let damaged = CLAPPER.iter().enumerate().map(|(at, byte)| if at % 97 == 50 { byte ^ 0x5a } else { *byte });
    let whole = |name, content| Some((name, content));
    let hostile: [(&str, Vec<u8>, &str); 8] = [
        ("no archive", b"this is no archive".to_vec(), "zip archive"),
        ("cut short", CLAPPER[..CLAPPER.len() / 2].to_vec(), "zip archive"),
        ("damaged", damaged.collect(), "avatar"),
        ("a bomb", bundle(whole, &[("bomb.png", &zeros)])?, "bomb.png"),
        ("a way out", bundle(whole, &[("../../escaped.txt", b"out")])?, "outside of the bundle"),
        ("no manifest", bundle(|name, content| (name != "manifest.json").then_some((name, content)), &[])?, "manifest"),
        ("no network at all", with_manifest("{", network, &[("mouth.onnx", b"\x08\x07\x12\x04evil")])?, "mouth.onnx"),
        ("a huge stage", with_manifest("\"width\": 512", "\"width\": 99999999", &[])?, "width"),
    ];
    let directory = tempfile::tempdir()?;
    for (what, bytes, named) in hostile {
        let path = directory.path().join("hostile.zip");
        std::fs::write(&path, bytes)?;
        let output = render(directory.path(), &path)?;
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{what}: {}", said.trim());
        ensure!(!output.status.success() && output.status.code().is_some(), "{what}: {}", output.status);
        ensure!(said.contains("hostile.zip") && said.contains(named), "{what}: {said}");
        ensure!(!said.contains("panicked"), "{what}: {said}");
    }
    ensure!(!directory.path().join("../../escaped.txt").exists() && !directory.path().join("out.mp4").exists());
    Ok(())
}

#[tokio::test]
async fn a_node_offers_the_good_ones_of_its_folder_and_does_without_the_bad() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("bad.zip"), b"no archive")?;
    std::fs::write(directory.path().join("mine.zip"), with_manifest("\"clapper\"", "\"mine\"", &[])?)?;
    let folder = directory.path().to_str().context("a path in UTF-8")?;
    let node = NodeSetup::embedded().set("stage.avatars_dir", folder).start().await?;
    let customer = node.customer("10").await?;
    let listed = customer.expect(Method::GET, "/v1/avatars", None).await?;
    let names: Vec<_> = listed["data"].as_array().context("a list")?.iter().map(|avatar| &avatar["name"]).collect();
    ensure!(names == ["ada", "clapper", "miles", "mine"], "{listed}");
    let id = customer.create(json!({ "avatar": "mine", "width": 128, "height": 128 })).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(0.4, 16_000)).await?;
    watcher.wait_until(std::time::Duration::from_secs(10), |seen| seen.active_frames() == 10).await?;
    Ok(())
}

/// An account brings an avatar, shows it, replaces it and removes it; nobody else sees it.
async fn an_account_brings_its_own(setup: NodeSetup) -> anyhow::Result<()> {
    let setup = setup.set("avatars.max_per_account", "2");
    let node = setup.start().await?;
    let (owner, stranger) = (node.customer("10").await?, node.customer("10").await?);
    let mine = with_manifest("\"clapper\"", "\"mine\"", &[])?;
    let zip = "application/zip";
    let (status, kept) = owner.send("/v1/avatars", zip, mine.clone()).await?;
    ensure!(status == StatusCode::CREATED && kept["name"] == "mine" && kept["own"] == true, "{status}: {kept}");
    ensure!(owner.fetch("/v1/avatars/mine/bundle").await? == (zip.to_owned(), mine.clone()));
    let (status, again) = owner.send("/v1/avatars", zip, mine.clone()).await?;
    ensure!(status == StatusCode::CREATED && again == kept, "the same again, after an answer that got lost: {again}");
    let other = with_manifest("\"clapper\"", "\"mine\"", &[("notes.txt", b"another")])?;
    let (status, problem) = owner.send("/v1/avatars", zip, other).await?;
    ensure!(status == StatusCode::CONFLICT && problem["code"] == "avatar_taken", "{status}: {problem}");
    let (status, problem) = owner.send("/v1/avatars?replace=true", zip, CLAPPER.to_vec()).await?;
    ensure!(status == StatusCode::CONFLICT && problem["code"] == "avatar_taken", "a shared name: {problem}");
    let network = "{ \"mouth_network\": {\"onnx\": \"mouth.onnx\", \"face\": [128, 240, 256]},";
    for (bad, named) in [(b"PK".to_vec(), "zip"), (with_manifest("{", network, &[])?, "mouth_network")] {
        let (status, problem) = owner.send("/v1/avatars", zip, bad).await?;
        ensure!(status == StatusCode::UNPROCESSABLE_ENTITY && problem["code"] == "invalid_avatar", "{problem}");
        ensure!(problem["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{problem}");
    }
    let second = with_manifest("\"clapper\"", "\"second\"", &[])?;
    ensure!(owner.send("/v1/avatars", zip, second).await?.0 == StatusCode::CREATED);
    let third = with_manifest("\"clapper\"", "\"third\"", &[])?;
    let (status, problem) = owner.send("/v1/avatars", zip, third).await?;
    ensure!(status == StatusCode::CONFLICT && problem["code"] == "too_many_kept" && problem["limit"] == 2, "{problem}");

    let names = |listed: serde_json::Value| -> anyhow::Result<Vec<String>> {
        let listed = listed["data"].as_array().context("a list")?.clone();
        Ok(listed.iter().filter_map(|avatar| avatar["name"].as_str().map(str::to_owned)).collect())
    };
    let listed = owner.expect(Method::GET, "/v1/avatars", None).await?;
    ensure!(names(listed)? == ["ada", "clapper", "miles", "mine", "second"]);
    ensure!(names(stranger.expect(Method::GET, "/v1/avatars", None).await?)? == ["ada", "clapper", "miles"]);
    for path in ["/v1/avatars/mine", "/v1/avatars/mine/bundle", "/v1/avatars/mine/preview"] {
        let (status, problem) = stranger.call(Method::GET, path, None).await?;
        ensure!(status == StatusCode::NOT_FOUND && problem["code"] == "unknown_thing", "{path}: {problem}");
    }
    let small = json!({ "avatar": "mine", "width": 128, "height": 128 });
    let (status, problem) = stranger.call(Method::POST, "/v1/sessions", Some(small.clone())).await?;
    ensure!(status == StatusCode::UNPROCESSABLE_ENTITY && problem["code"] == "unknown_avatar", "{problem}");

    // It is shown, also after the node was killed, and after it was removed.
    node.kill().await?;
    let node = setup.start().await?;
    let owner = owner.moved_to(&node.url);
    let id = owner.create(small.clone()).await?;
    ensure!(owner.session(&id).await?["avatar"] == "mine");
    ensure!(owner.call(Method::DELETE, "/v1/avatars/mine", None).await?.0 == StatusCode::NO_CONTENT);
    ensure!(owner.call(Method::DELETE, "/v1/avatars/mine", None).await?.0 == StatusCode::NOT_FOUND);
    let watcher = owner.watch(&id).await?;
    owner.speak(&id, speech::buzz(0.4, 16_000)).await?;
    watcher.wait_until(std::time::Duration::from_secs(10), |seen| seen.active_frames() == 10).await?;
    ensure!(owner.call(Method::POST, "/v1/sessions", Some(small)).await?.0 == StatusCode::UNPROCESSABLE_ENTITY);
    Ok(())
}

#[tokio::test]
async fn an_account_brings_its_own_on_the_embedded_store() -> anyhow::Result<()> {
    an_account_brings_its_own(stores::embedded().setup).await
}

#[tokio::test]
async fn an_account_brings_its_own_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    an_account_brings_its_own(on_store.setup.clone()).await
}
