//! Changes of the catalog at the same time.

use super::*;
use crate::domain::{
    Agent, AgentId, Project, ProjectId, agent, project::SetUp, settings::NotificationSettings,
};
use futures_util::future::join_all;
use serde_json::Map;

const ROUNDS: usize = 50;

fn project_id() -> ProjectId {
    ProjectId(Uuid::from_u128(1))
}

fn agent_id() -> AgentId {
    AgentId(Uuid::from_u128(2))
}

async fn with_agent() -> Store {
    let store = Store::new();
    let project = Project {
        id: project_id(),
        name: "p".into(),
        repos: Vec::new(),
        created_at: at(0),
        spare_worktrees: false,
        trusted_filters: Vec::new(),
        set_up: SetUp::default(),
    };
    store.writer.add_project(project, None).await.unwrap();
    store.writer.add_agent(new_agent(), None).await.unwrap();
    store
}

fn new_agent() -> Agent {
    Agent {
        id: agent_id(),
        project_id: project_id(),
        name: "a".into(),
        cli_name: agent::CLI_NAME_DEFAULT.into(),
        model: None,
        instructions: String::new(),
        allowed_tools: agent::ALLOWED_TOOLS_DEFAULT.into(),
        max_turns: agent::MAX_TURNS_DEFAULT,
        provider_config: Map::new(),
        role: agent::ROLE_DEFAULT.into(),
        created_at: at(0),
        updated_at: at(0),
    }
}

#[tokio::test]
async fn changes_of_different_fields_at_the_same_time_all_last() {
    let store = with_agent().await;
    let writer = &store.writer;
    let agents = (0..ROUNDS).map(|n| async move {
        let change = move |agent: &mut Agent| {
            if n % 2 == 0 {
                agent.instructions.push('x');
            } else {
                agent.max_turns += 1;
            }
            Ok::<_, StoreError>(())
        };
        writer.change_agent(agent_id(), change).await.unwrap();
    });
    let projects = (0..ROUNDS).map(|n| async move {
        let change = move |project: &mut Project| {
            if n % 2 == 0 {
                project.set_up.setup_script.push('x');
            } else {
                project.set_up.copy_files.push(format!("{n}"));
            }
            Ok::<_, StoreError>(())
        };
        writer.change_project(project_id(), change).await.unwrap();
    });
    let settings = (0..ROUNDS).map(|n| async move {
        let change = move |settings: &mut NotificationSettings| {
            if n % 2 == 0 {
                settings.discord_webhook_url.push('x');
            } else {
                settings.notify_on_attention = !settings.notify_on_attention;
            }
            Ok::<_, StoreError>(())
        };
        writer.change_notification_settings(change).await.unwrap();
    });
    tokio::join!(join_all(agents), join_all(projects), join_all(settings));
    let half = ROUNDS / 2;
    let agent = store.reader.agent(agent_id()).unwrap().unwrap();
    let turns = u32::try_from(half).unwrap() + agent::MAX_TURNS_DEFAULT;
    assert_eq!((agent.instructions.len(), agent.max_turns), (half, turns));
    let set_up = store.reader.project(project_id()).unwrap().unwrap().set_up;
    let kept = (set_up.setup_script.len(), set_up.copy_files.len());
    assert_eq!(kept, (half, half));
    let settings = store.reader.notification_settings().unwrap();
    assert_eq!(settings.discord_webhook_url.len(), half);
    assert_eq!(settings.notify_on_attention, half.is_multiple_of(2));
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let store = with_agent().await;
    let refused = store.writer.change_agent(agent_id(), |agent| {
        agent.name = "b".into();
        Err(StoreError::Taken("b".into()))
    });
    assert_eq!(refused.await.err(), Some(StoreError::Taken("b".into())));
    assert_eq!(store.reader.agent(agent_id()).unwrap().unwrap().name, "a");
}

#[tokio::test]
async fn what_was_deleted_stays_deleted() {
    let store = with_agent().await;
    let writer = &store.writer;
    assert_eq!(writer.remove_agent(agent_id()).await, Ok(true));
    let change = writer.change_agent(agent_id(), |_| Ok::<_, StoreError>(()));
    assert_eq!(change.await.err(), Some(StoreError::Missing));
    assert_eq!(store.reader.agent(agent_id()).unwrap(), None);
    assert_eq!(writer.remove_project(project_id()).await, Ok(true));
    let change = writer.change_project(project_id(), |_| Ok::<_, StoreError>(()));
    assert_eq!(change.await.err(), Some(StoreError::Missing));
    let orphan = writer.add_agent(new_agent(), None).await;
    assert_eq!(orphan, Err(StoreError::Missing), "its project is gone");
}

#[tokio::test]
async fn a_page_of_runs_goes_on_behind_a_deleted_one() {
    let store = Store::new();
    let mut runs: Vec<History> = (1..5).map(History::new).collect();
    for run in &mut runs {
        store.append(run.next(&LIFE)).await.unwrap();
    }
    let page = |before: RunId| {
        let filter = RunFilter {
            limit: Some(2),
            before: Some(before),
            ..RunFilter::default()
        };
        store.reader.runs(&filter)
    };
    let last = runs[2].id;
    let behind = page(last).unwrap();
    assert_eq!(behind.len(), 2);
    let deletion = runs[2].next(&["run.deleted"]);
    store.append(deletion).await.unwrap();
    assert_eq!(page(last).unwrap(), behind);
    let unknown = RunId(Uuid::from_u128(99));
    assert_eq!(page(unknown), Err(StoreError::Missing));
}

#[tokio::test]
async fn a_log_made_anew_is_another_one() {
    let (first, second) = (Store::new(), Store::new());
    let id = first.reader.log_id().unwrap();
    assert_ne!(id, second.reader.log_id().unwrap());
    let (sender, _batches) = mpsc::channel(1);
    let (_, again) = open(&Location::of(first.folder.path()), sender).unwrap();
    assert_eq!(again.log_id().unwrap(), id, "a restart changes nothing");
}
