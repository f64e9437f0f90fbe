//! The workers, on the embedded store, with makers that do as they are told.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use footlight_avatar::bundle::{AvatarBundle, Catalogue, shipped};
use footlight_hooks::{HookOptions, HookParts, Hooks};
use footlight_jobs::{Job, JobEnd, JobKind, JobOptions, JobParts, JobState, Jobs, NewJob};
use footlight_ledger::{
    AccountId, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Terms, Timestamp, Touched,
};
use footlight_store::{LedgerDesk, SqliteStore, Store};
use footlight_wardrobe::{PictureId, Wardrobe, WardrobeOptions, WardrobeParts};
use serde_json::json;
use uuid::Uuid;

use crate::bench::{Craft, Made, Task};
use crate::{Workshop, WorkshopOptions, WorkshopParts};

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nin name alone";
const PRICE: Microcredits = Microcredits(250_000_000);

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap())
}

/// Makes a bundle that ships, under the name that was asked for; refuses and breaks when it is told to, and waits for what it
/// is sent where it is asked to be slow.
struct Copyist {
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Craft for Copyist {
    fn make(&self, task: Task, told: &mut dyn FnMut(u8, &str)) -> Result<Made, String> {
        let Task::Agent(order, picture) = task else { return Err("no gestures today".to_owned()) };
        assert_eq!(picture, PICTURE);
        told(40, "copying");
        match order.title() {
            "refuse" => return Err("the face is not there".to_owned()),
            "break" => panic!("the copyist fell over"),
            "slow" => self.go_on.lock().unwrap().recv().unwrap(),
            _ => {}
        }
        let mut bundle = shipped("clapper").unwrap();
        bundle.manifest.name = order.name;
        Ok(Made { bundle: bundle.to_bytes().unwrap(), preview: PICTURE.to_vec() })
    }
}

struct House {
    jobs: Jobs,
    desk: LedgerDesk,
    wardrobe: Wardrobe,
    workshop: Workshop,
    account: AccountId,
    picture: PictureId,
    go_on: mpsc::Sender<()>,
}

async fn house(credits: i64) -> House {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
    let desk = LedgerDesk::new(Arc::clone(&store), Terms::default(), Arc::new(now), Arc::new(rand::random));
    let account = AccountId(Uuid::from_u128(1));
    desk.open_account(account, Limits::default()).await.unwrap();
    give(&desk, account, credits).await;
    let hooks = Hooks::start(HookParts {
        store: Arc::clone(&store),
        desk: desk.clone(),
        clock: Arc::new(now),
        encode: Arc::new(|_| Vec::new()),
        options: HookOptions::default(),
        registry: prometheus::Registry::new(),
    })
    .unwrap();
    let wardrobe = Wardrobe::start(WardrobeParts {
        store: Arc::clone(&store),
        shared: Catalogue::default(),
        clock: Arc::new(now),
        options: WardrobeOptions::default(),
    });
    let jobs = Jobs::start(JobParts {
        store,
        desk: desk.clone(),
        clock: Arc::new(now),
        hooks,
        options: JobOptions::default(),
    });
    let (go_on, waited) = mpsc::channel();
    let workshop = Workshop::start(WorkshopParts {
        jobs: jobs.clone(),
        wardrobe: wardrobe.clone(),
        craft: Arc::new(Copyist { go_on: Mutex::new(waited) }),
        options: WorkshopOptions { workers: 1, name: "test".to_owned() },
    });
    let picture = wardrobe.put_picture(account, PICTURE.to_vec()).await.unwrap().id;
    House { jobs, desk, wardrobe, workshop, account, picture, go_on }
}

async fn give(desk: &LedgerDesk, account: AccountId, credits: i64) {
    let grant = Command::Grant {
        id: GrantId(Uuid::from_u128(2)),
        name: GrantName("test".to_owned()),
        kind: GrantKind::TopUp,
        amount: Microcredits::from_credits(credits),
        expires_at: None,
    };
    desk.submit(account, grant).await.unwrap();
}

impl House {
    fn input(&self, name: &str, title: &str) -> String {
        let points: Vec<[f64; 2]> = (0..68).map(|k| [f64::from(k), f64::from(k)]).collect();
        let landmarks = json!({ "scheme": "ibug68", "points": points });
        json!({ "name": name, "title": title, "picture": self.picture.to_string(), "landmarks": landmarks }).to_string()
    }

    async fn ask(&self, name: &str, title: &str) -> Job {
        let input = self.input(name, title);
        self.workshop.look_at(self.account, JobKind::Agent, &input).await.unwrap().unwrap();
        let job = self.jobs.create(self.account, NewJob { kind: JobKind::Agent, input }).await.unwrap();
        self.workshop.knock();
        job
    }

    async fn end_of(&self, job: &Job) -> Job {
        for _ in 0..600 {
            let seen = self.jobs.get(self.account, job.id).await.unwrap();
            if matches!(seen.state, JobState::Over(_)) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the job does not end");
    }

    async fn spent(&self) -> Microcredits {
        self.desk.inspect(self.account, Touched::default()).await.unwrap().unwrap().account.totals.spent
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_kept_and_charged_once() {
    let house = house(600).await;
    let job = house.ask("noor", "Noor").await;
    let done = house.end_of(&job).await;
    assert_eq!(done.state, JobState::Over(JobEnd::Done), "{done:?}");
    assert!(done.result.unwrap().contains("\"avatar\":\"noor\""));
    let kept = house.wardrobe.get(house.account, "noor").await.unwrap().unwrap();
    assert_eq!((kept.job, kept.has_preview), (Some(job.id), true));
    let bundle = house.wardrobe.open(house.account, "noor").await.unwrap().unwrap();
    assert_eq!(AvatarBundle::from_bytes(&bundle.bytes).unwrap().manifest.name, "noor");
    assert_eq!(house.spent().await, PRICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_costs_nothing_and_says_why() {
    let house = house(250).await;
    for (title, why) in [("refuse", "the face is not there"), ("break", "fault of ours")] {
        let failed = house.end_of(&house.ask("noor", title).await).await;
        assert_eq!(failed.state, JobState::Over(JobEnd::Failed));
        assert!(failed.error.as_ref().unwrap().contains(why), "{failed:?}");
    }
    assert!(house.wardrobe.list(house.account).await.unwrap().is_empty());
    assert_eq!(house.spent().await, Microcredits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_meanwhile_leaves_nothing() {
    let house = house(250).await;
    let job = house.ask("noor", "slow").await;
    let mut seen = house.jobs.get(house.account, job.id).await.unwrap();
    while seen.percent < 40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen = house.jobs.get(house.account, job.id).await.unwrap();
    }
    assert_eq!((seen.percent, seen.note.as_str()), (40, "copying"));
    house.jobs.cancel(house.account, job.id).await.unwrap();
    house.go_on.send(()).unwrap();
    // There is one worker: when it has done the next job, it is done with this one.
    let next = house.end_of(&house.ask("miriam", "Miriam").await).await;
    assert_eq!(next.state, JobState::Over(JobEnd::Done), "{next:?}");
    let names: Vec<_> = house.wardrobe.list(house.account).await.unwrap().into_iter().map(|kept| kept.name).collect();
    assert_eq!(names, ["miriam"]);
    assert_eq!(house.spent().await, PRICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_cannot_be_worked_on_are_refused_before_they_are_paid_for() {
    let house = house(250).await;
    let good = house.input("noor", "Noor");
    let refused = async |kind: JobKind, input: &str| {
        house.workshop.look_at(house.account, kind, input).await.unwrap().unwrap_err().pointer
    };
    assert_eq!(refused(JobKind::Agent, "null").await, "");
    assert_eq!(refused(JobKind::Agent, &good.replace("noor", "No or")).await, "/name");
    assert_eq!(refused(JobKind::Agent, &good.replace("\"noor\"", "\"ada\"")).await, "/name");
    assert_eq!(refused(JobKind::Agent, &good.replace("pic_", "pic-")).await, "/picture");
    let other = format!("pic_{}", Uuid::from_u128(9).simple());
    assert_eq!(refused(JobKind::Agent, &good.replace(&house.picture.to_string(), &other)).await, "/picture");
    assert_eq!(refused(JobKind::Agent, &good.replace("ibug68", "ibug")).await, "");
    assert_eq!(refused(JobKind::Dynamics, r#"{"avatar":"nobody"}"#).await, "/avatar");
    assert_eq!(refused(JobKind::Dynamics, r#"{"avatar":"ada"}"#).await, "/name");
    house.end_of(&house.ask("noor", "Noor").await).await;
    assert_eq!(refused(JobKind::Agent, &good).await, "/name");
    assert!(house.workshop.look_at(house.account, JobKind::Book, "null").await.unwrap().is_ok());
}
