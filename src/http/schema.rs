//! Shapes of the answers, for `openapi.json`. A test compares them with real answers.

#![expect(dead_code, reason = "these types are read by utoipa only")]

mod changes;
mod cost;

pub(super) use changes::*;
use cost::CostView;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(ToSchema)]
pub(super) struct ProjectView {
    id: Uuid,
    name: String,
    repos: Vec<RepoView>,
    #[schema(format = DateTime)]
    created_at: String,
    setup_script: String,
    cleanup_script: String,
    copy_files: Vec<String>,
    spare_worktrees: bool,
    /// Filter drivers that the repositories define and that may run.
    trusted_filters: Vec<String>,
}

#[derive(ToSchema)]
pub(super) struct RepoView {
    id: Uuid,
    name: String,
    repo_path: String,
}

#[derive(ToSchema)]
pub(super) struct AgentView {
    id: Uuid,
    project_id: Uuid,
    name: String,
    cli_name: String,
    #[schema(required)]
    model: Option<String>,
    instructions: String,
    allowed_tools: String,
    max_turns: u32,
    /// Values of `env` are shown as `***`; sent back so, they stay what they are.
    #[schema(value_type = Object)]
    provider_config: (),
    role: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What a template is for; pages list the templates by it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum TemplateGroupView {
    Review,
    Coding,
    Testing,
    Documentation,
    Maintenance,
    Planning,
}

#[derive(ToSchema)]
pub(super) struct TemplateView {
    group: TemplateGroupView,
    name: String,
    role: String,
    description: String,
    allowed_tools: String,
    instructions: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum StatusView {
    Queued,
    Running,
    Paused,
    Completed,
    Failed,
    Cancelled,
}

#[derive(ToSchema)]
pub(super) struct RunView {
    id: Uuid,
    project_id: Uuid,
    agent_id: Uuid,
    task: String,
    status: StatusView,
    source_branch: String,
    run_branch: String,
    cli_name: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    tokens_in: u64,
    tokens_out: u64,
    /// The part of the cost that is known, in US dollars.
    cost_usd: f64,
    cost: CostView,
    #[schema(required)]
    parent_run_id: Option<Uuid>,
    notify: bool,
    /// The CLI's own session.
    #[schema(required)]
    session_id: Option<String>,
    #[schema(required)]
    model: Option<String>,
    /// Why it failed or paused.
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    attention: Option<AttentionView>,
    activity: ActivityView,
    process: ProcessView,
    tokens_cache_read: u64,
    tokens_cache_write: u64,
    /// What there is to ship: nothing, changes, or changes that were pushed or accepted.
    work: WorkView,
    queue: QueueView,
    repos: Vec<RunRepoView>,
    last_sequence: u64,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum WorkView {
    None,
    Changed,
    Shipped,
}

#[derive(ToSchema)]
pub(super) struct AttentionView {
    kind: String,
    message: String,
    #[schema(format = DateTime)]
    since: String,
}

/// The evidence for the status.
#[derive(ToSchema)]
pub(super) struct ActivityView {
    what: String,
    #[schema(format = DateTime)]
    since: String,
}

#[derive(ToSchema)]
pub(super) struct ProcessView {
    alive: bool,
    #[schema(required)]
    pid: Option<u32>,
    #[schema(required)]
    exit_code: Option<i32>,
    /// Stopped by Ctrl+Z or a signal; `activity` says by which. A continue, or a key in the terminal,
    /// lets it go on.
    stopped: bool,
}

/// Messages that wait for the end of the turn.
#[derive(ToSchema)]
pub(super) struct QueueView {
    length: u64,
    /// Why none goes out until somebody acts.
    #[schema(required)]
    halted: Option<String>,
}

#[derive(ToSchema)]
pub(super) struct QueuedView {
    id: Uuid,
    message: String,
    /// 1 goes out first.
    position: u64,
    #[schema(format = DateTime)]
    created_at: String,
}

#[derive(ToSchema)]
pub(super) struct RunRepoView {
    repo_id: Uuid,
    name: String,
    repo_path: String,
    /// Null while there is none.
    #[schema(required)]
    worktree: Option<String>,
    branch: String,
    /// What the run began with; a rebase at somebody's request moves it.
    base_commit: String,
    /// The branch that pointed there, without its remote.
    #[schema(required)]
    source: Option<String>,
}

#[derive(ToSchema)]
pub(super) struct BranchView {
    repo_id: Uuid,
    repo_name: String,
    name: String,
    is_default: bool,
    /// The user's checkout has it.
    is_head: bool,
    commit: String,
    subject: String,
    #[schema(format = DateTime)]
    committed_at: String,
    /// The default branch; null for itself.
    #[schema(required)]
    base: Option<String>,
    ahead: u64,
    behind: u64,
    /// Like `origin/x`.
    #[schema(required)]
    upstream: Option<String>,
    pushed: bool,
    /// Null without upstream.
    #[schema(required)]
    unpushed: Option<u64>,
    /// The run whose branch it is.
    #[schema(required)]
    run_id: Option<Uuid>,
    /// Where it is checked out.
    #[schema(required)]
    worktree: Option<String>,
}

#[derive(ToSchema)]
pub(super) struct PullRequestView {
    repo_name: String,
    #[schema(required)]
    number: Option<u64>,
    #[schema(required)]
    url: Option<String>,
    /// Why there is none.
    error: Option<String>,
}

#[derive(ToSchema)]
pub(super) struct PrStatusView {
    repo_id: Uuid,
    branch: String,
    number: u64,
    title: String,
    state: crate::forge::PrState,
    url: String,
    checks: crate::forge::Checks,
}

#[derive(ToSchema)]
pub(super) struct MergedView {
    into: String,
    commit: String,
    fast_forward: bool,
}

#[derive(ToSchema)]
pub(super) struct RebasedView {
    onto: String,
    commit: String,
    /// What it was rebased onto; a run's changes are compared with this from now on.
    base_commit: String,
}

#[derive(ToSchema)]
pub(super) struct CommittedView {
    repo_name: String,
    /// The branch that has the commit: the run's, or one made during the run.
    branch: String,
    #[schema(required)]
    commit: Option<String>,
    /// What that branch points at now.
    #[schema(required)]
    head: Option<String>,
    /// Why there is none.
    error: Option<String>,
}

#[derive(ToSchema)]
pub(super) struct PushedView {
    repo_name: String,
    /// The run's branch, or one made during the run that its worktree is on.
    branch: String,
    /// What that branch points at here.
    #[schema(required)]
    head: Option<String>,
    #[schema(required)]
    remote_url: Option<String>,
    /// The remote's name, or its URL when it has none.
    #[schema(required)]
    remote: Option<String>,
    /// The branch there.
    #[schema(required)]
    remote_branch: Option<String>,
    pushed: bool,
    #[schema(required)]
    error: Option<String>,
}

/// Where the whole log ends now: what is read after this call holds every event up to there.
#[derive(ToSchema)]
pub(super) struct HeadView {
    /// 0 for an empty log.
    last_event_id: i64,
    /// Which log this is; another one when the data folder was made anew.
    log: Uuid,
}

#[derive(ToSchema)]
pub(super) struct ProofView {
    proof: String,
}

#[derive(ToSchema)]
pub(super) struct EventView {
    /// Place in the whole log.
    id: i64,
    run_id: Uuid,
    /// Place in its run, without holes.
    sequence: u64,
    event_type: String,
    #[schema(value_type = Object)]
    payload: (),
    #[schema(format = DateTime)]
    created_at: String,
}

#[derive(ToSchema)]
pub(super) struct TaskView {
    id: String,
    subject: String,
    description: String,
    status: String,
}

#[derive(ToSchema)]
pub(super) struct ModelSettingsView {
    /// Day on which the prices were looked up; null when nobody said.
    #[schema(format = Date)]
    prices_as_of: Option<String>,
    providers: Vec<ProviderView>,
}

#[derive(ToSchema)]
pub(super) struct ProviderView {
    id: String,
    label: String,
    bin: String,
    enabled: bool,
    #[schema(required)]
    default_model: Option<String>,
    models: Vec<ModelView>,
    /// Only in answers.
    installed: Option<bool>,
    /// Only in answers.
    version: Option<String>,
    /// Only in answers.
    install_hint: Option<String>,
    /// Only in answers, for the adapters of this build: who enforces which limit of an agent.
    limits: Option<LimitsView>,
}

#[derive(ToSchema)]
pub(super) struct LimitsView {
    interactive: ModeLimitsView,
    headless: ModeLimitsView,
}

#[derive(ToSchema)]
pub(super) struct ModeLimitsView {
    max_turns: KeeperView,
    allowed_tools: KeeperView,
}

/// `cli`: the CLI, told at its start. `counted`: abbado, which pauses the run. `none`: nobody.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum KeeperView {
    Cli,
    Counted,
    None,
}

#[derive(ToSchema)]
pub(super) struct ModelView {
    id: String,
    label: String,
    input_per_mtok: f64,
    output_per_mtok: f64,
    cache_read_per_mtok: f64,
    cache_write_per_mtok: f64,
}

#[derive(ToSchema)]
pub(super) struct DeliveredView {
    delivered: bool,
}

#[derive(ToSchema)]
pub(super) struct NotificationSettingsView {
    discord_webhook_url: String,
    notify_on_pipeline_complete: bool,
    notify_on_run_failed: bool,
    notify_on_attention: bool,
}
