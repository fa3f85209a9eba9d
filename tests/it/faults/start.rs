//! What a server finds that starts: a log that is gone, a file system or a user that lacks something.

use super::Stayer;
use crate::support::World;
use std::{
    fs,
    process::{Command, Stdio},
};

fn refused(world: &World) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abbado"));
    command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]);
    let command = command.arg(world.data()).stdin(Stdio::null());
    let output = command.env("HOME", world.path("home")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("abbado: "), "{said}");
    last.to_owned()
}

#[test]
fn a_log_that_is_gone_is_not_begun_anew_beside_its_runs() {
    let world = World::new();
    let server = world.serve();
    let run = Stayer::start(&world, &server);
    run.end();
    server.wait_status(&run.id, "completed");
    assert_eq!(server.terminate(), Some(0));
    let database = world.data().join("abbado.db");
    let kept = fs::read(&database).unwrap();
    fs::write(&database, "").unwrap();
    let said = refused(&world);
    assert!(said.contains("abbado.db is missing or empty"), "{said}");
    assert_eq!(
        fs::metadata(&database).unwrap().len(),
        0,
        "it is not touched"
    );
    fs::remove_file(&database).unwrap();
    assert_eq!(refused(&world), said);
    assert!(!database.exists());
    fs::write(&database, kept).unwrap();
    let server = world.serve();
    assert_eq!(server.view(&run.id)["status"], "completed");
}

#[test]
fn a_data_folder_that_is_another_users_or_no_folder_is_named() {
    let world = World::new();
    fs::write(world.data(), "a file").unwrap();
    let said = refused(&world);
    assert!(said.contains(world.data().to_str().unwrap()), "{said}");
    fs::remove_file(world.data()).unwrap();
    // Files that others left there are no matter.
    fs::create_dir_all(world.data().join("runs/lost+found")).unwrap();
    fs::create_dir_all(world.data().join("runs/not-a-run")).unwrap();
    fs::write(world.data().join(".DS_Store"), "x").unwrap();
    fs::write(world.data().join("server.json"), "{}").unwrap();
    world.serve().get("health").expect(200);
}
