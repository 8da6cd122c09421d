//! `GET /tasks/{id}` and `GET /tasks/{id}/replicates/{wallet}`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use protocol::Address;

use super::{
    Api, Refusal,
    model::{ReplicateModel, TaskModel, origin},
};

pub(super) async fn task(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<TaskModel>, Refusal> {
    let task = api.task(&id).await?;
    Ok(Json(TaskModel::of(&task, &origin(&headers))))
}

pub(super) async fn replicate(
    State(api): State<Arc<Api>>,
    Path((id, wallet)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ReplicateModel>, Refusal> {
    let task = api.task(&id).await?;
    let not_found = || Refusal::NotFound("replicate not found");
    let wallet: Address = wallet.parse().map_err(|_| not_found())?;
    let replicate = task.replicate(wallet).ok_or_else(not_found)?;
    Ok(Json(ReplicateModel::of(
        &task,
        replicate,
        &origin(&headers),
    )))
}
