//! The confidential task (spec/secrets-tee.md §2.1): the image, the session, and then the release
//! of secrets to an attested enclave, which this version cannot do. Nothing here runs an app.

use protocol::{Cause, status::ReplicateStatus as Status};

use crate::{
    Failure,
    replicate::{Facts, Replicate, Step, at},
    sms::{Session, Sms},
    upload,
};

/// Which step is missing, for the requester.
const MISSING: &str = "the secret manager has made the task's session, but this version cannot \
                       attest an enclave, so no secret was released and the app was not run";

impl Replicate<'_> {
    /// Goes as far as it may. An image that cannot be pulled is not contributed as an error: no
    /// enclave would sign for it.
    pub(crate) async fn confidential(&self, facts: &Facts) -> Step<()> {
        self.say(Status::AppDownloading);
        let pulled = self.pull(&facts.app).await;
        if let Err(failure) = pulled {
            self.say_failed(Status::AppDownloadFailed, &failure);
            return Err((Status::ComputeFailed, failure));
        }
        self.say(Status::AppDownloaded);
        self.say(Status::Computing);
        let session = self.session(facts).await;
        let session = session.map_err(at(Status::ComputeFailed))?;
        let at = session.secret_provisioning_url;
        tracing::debug!(task = %self.task(), at, "a session is made");
        let failure = Failure::new(Cause::TeePreparationFailed, MISSING);
        Err((Status::ComputeFailed, failure))
    }

    async fn session(&self, facts: &Facts) -> Result<Session, Failure> {
        let url = self.sms.as_deref();
        let none = || Failure::new(Cause::UnknownSms, "the pool named no secret manager");
        let (http, wallet) = (&self.context.http, self.context.actor.wallet());
        let sms = Sms {
            http,
            url: url.ok_or_else(none)?,
            wallet,
        };
        let token = if facts.deal.has_callback() {
            None
        } else {
            let token = upload::token(http, &self.result_proxy, wallet, &self.authorization);
            let refused = |reason| Failure::new(Cause::ResultLinkMissing, reason);
            Some(token.await.map_err(refused)?)
        };
        let _turn = self.context.sms_turn.lock().await;
        sms.session(&self.authorization, token.as_deref()).await
    }
}
