//! The tasks and what happened to them.

use protocol::{DealId, TaskId};
use sqlx::any::AnyRow;

use super::{
    Database, Turn,
    row::{parsed, signed, text, unsigned},
};
use crate::{Error, TaskStep, TaskView};

/// A task as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskRow {
    pub(crate) id: TaskId,
    pub(crate) deal: DealId,
    pub(crate) number: u64,
    pub(crate) block: u64,
}

const TASKS: &str = "select t.id, t.deal, t.number, \
     (select s.name from market_task_steps s where s.task = t.id \
      order by s.block desc, s.position desc limit 1) as step, \
     (select count(*) from market_task_steps s where s.task = t.id and s.name = 'contributed') \
      as contributions \
     from market_tasks t";

impl Database {
    /// A task; none before its initialisation.
    pub(crate) async fn task(&self, id: TaskId) -> Result<Option<TaskView>, Error> {
        let sql = format!("{TASKS} where t.id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(Error::database("read a task"))?;
        row.as_ref().map(view).transpose()
    }

    /// At most `limit` initialised tasks of a deal from index `from` on.
    pub(crate) async fn tasks(
        &self,
        deal: DealId,
        from: u64,
        limit: u64,
    ) -> Result<Vec<TaskView>, Error> {
        let sql =
            format!("{TASKS} where t.deal = $1 and t.number >= $2 order by t.number limit $3");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(deal.to_string())
            .bind(signed(from))
            .bind(signed(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(Error::database("read tasks"))?;
        rows.iter().map(view).collect()
    }
}

fn view(row: &AnyRow) -> Result<TaskView, Error> {
    let step: String = text(row, "step")?;
    Ok(TaskView {
        id: parsed(row, "id")?,
        deal: parsed(row, "deal")?,
        index: unsigned(row, "number")?,
        status: TaskStep::named(&step).ok_or(Error::Damaged { what: "task step" })?,
        contributions: unsigned(row, "contributions")?,
    })
}

impl Turn<'_> {
    /// Keeps a task; the same again changes nothing.
    pub(crate) async fn keep_task(&mut self, task: &TaskRow) -> Result<(), Error> {
        let insert = "insert into market_tasks (id, deal, number, block) values ($1, $2, $3, $4) \
                      on conflict (id) do nothing";
        sqlx::query(insert)
            .bind(task.id.to_string())
            .bind(task.deal.to_string())
            .bind(signed(task.number))
            .bind(signed(task.block))
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("keep a task"))?;
        Ok(())
    }

    /// Keeps what happened to a task at a place of the chain; the same again changes nothing.
    pub(crate) async fn keep_step(
        &mut self,
        (block, position): (u64, u64),
        task: TaskId,
        step: TaskStep,
        worker: protocol::Address,
    ) -> Result<(), Error> {
        let insert = "insert into market_task_steps (block, position, task, name, worker) \
                      values ($1, $2, $3, $4, $5) on conflict (block, position) do nothing";
        sqlx::query(insert)
            .bind(signed(block))
            .bind(signed(position))
            .bind(task.to_string())
            .bind(step.name())
            .bind(worker.to_string())
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("keep a task's step"))?;
        Ok(())
    }
}
