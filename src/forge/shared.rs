//! What all calls to forges share: configuration, budgets, tokens, answers and their ETags.

use super::{
    budget::Budgets,
    config::ForgeConfig,
    error::ForgeError,
    status::Statuses,
    token::{self, Token},
};
use crate::{domain::Time, tls};
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How long a token of `gh` or `glab` is reused, in seconds.
const TOKEN_SECS: i64 = 300;
/// Answers kept with their ETags; beyond that all are dropped, since they only save requests.
const KEPT_MAX: usize = 256;
/// Longest answer that is kept, in bytes.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// Answers by URL, each with its ETag: forges do not count "not modified" against the budget.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<String, (String, Bytes)>>);

impl Kept {
    pub(super) fn get(&self, url: &str) -> Option<(String, Bytes)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(url).cloned()
    }

    pub(super) fn put(&self, url: String, etag: &str, body: &Bytes) {
        if body.len() > KEPT_BYTES_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(url, (etag.to_owned(), body.clone()));
    }
}

/// What all calls share.
#[derive(Debug)]
pub(super) struct Shared {
    pub config: ForgeConfig,
    pub budgets: Budgets,
    pub kept: Kept,
    pub statuses: Statuses,
    /// By host, with the time each was found.
    tokens: Mutex<HashMap<String, (Time, Token)>>,
    tls: tokio::sync::OnceCell<Arc<rustls::ClientConfig>>,
}

impl Shared {
    pub(super) fn new(config: ForgeConfig) -> Self {
        Self {
            config,
            budgets: Budgets::default(),
            kept: Kept::default(),
            statuses: Statuses::default(),
            tokens: Mutex::default(),
            tls: tokio::sync::OnceCell::new(),
        }
    }

    pub(super) fn now(&self) -> Time {
        (self.config.clock)()
    }

    pub(super) fn forget_token(&self, host: &str) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.remove(host);
    }

    pub(super) fn kept_token(&self, host: &str) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (found_at, token) = tokens.get(host)?;
        let age = (self.now() - found_at).num_seconds();
        (0..TOKEN_SECS).contains(&age).then(|| token.clone())
    }

    pub(super) async fn token(
        &self,
        host: &str,
        variables: &[&'static str],
        command: &[&str],
    ) -> Result<Token, ForgeError> {
        if let Some(token) = self.kept_token(host) {
            return Ok(token);
        }
        let token = token::find(host, variables, command, &self.config).await?;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(host.to_owned(), (self.now(), token.clone()));
        Ok(token)
    }

    pub(super) async fn tls(&self, host: &str) -> Result<Arc<rustls::ClientConfig>, ForgeError> {
        let unreachable = |reason| ForgeError::Unreachable {
            host: host.to_owned(),
            reason,
        };
        let made = self.tls.get_or_try_init(|| async {
            let made = tokio::task::spawn_blocking(tls::client).await;
            made.unwrap_or_else(|_| Err("reading root certificates failed".to_owned()))
        });
        made.await.cloned().map_err(unreachable)
    }
}
