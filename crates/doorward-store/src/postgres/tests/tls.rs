//! A way to the server that is private, or not taken.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// An authority that was made for one test, and a certificate of it for one name.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("doorward-ca-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let authority = Self { folder };
        let leaf = format!("subjectAltName=DNS:{name}");
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2";
        authority.openssl(&format!("req -x509 {ec} -keyout ca.key -out ca.pem -subj /CN=ca"));
        authority.openssl(&format!("req {ec} -keyout key.pem -out leaf.csr -subj /CN=server"));
        fs::write(authority.folder.join("names"), leaf).unwrap();
        authority.openssl(
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days 2 -extfile names -out leaf.pem",
        );
        authority
    }

    fn openssl(&self, words: &str) {
        let mut openssl = Command::new("openssl");
        openssl.args(words.split(' ')).current_dir(&self.folder);
        let made = openssl.output().expect("openssl is missing: install the package openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }

    fn server(&self) -> (Server, u16) {
        Server::own_with_tls(&self.text("leaf.pem"), &self.text("key.pem"))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_alone() {
    const PRIVATE: &str = "SELECT count(*) FROM pg_stat_ssl WHERE ssl";
    let (authority, stranger) = (Authority::new("localhost"), Authority::new("db.example"));
    let (server, port) = authority.server();
    let at = |host: &str, root: &str, mode: &str| {
        let root = root.replace('/', "%2F");
        format!(
            "postgresql://doorward@{host}:{port}/postgres?sslrootcert={root}&sslmode={mode}\
             &options=-csearch_path%3Dpublic"
        )
    };
    let ours = authority.file("ca.pem");
    for mode in ["require", "verify-full"] {
        PostgresStore::connect(&at("localhost", &ours, mode)).await.unwrap();
    }
    let store = PostgresStore::connect(&at("localhost", &ours, "prefer")).await.unwrap();
    store.probe(crate::conformance::sample::NOON).await.unwrap();
    assert_ne!(server.sql("postgres", PRIVATE), "0");
    for wrong in [
        // Of another authority, and of a name that is not in it.
        at("localhost", &stranger.file("ca.pem"), "require"),
        at("127.0.0.1", &ours, "require"),
        // What may go without does not go without because somebody in between says so.
        at("localhost", &stranger.file("ca.pem"), "prefer"),
        at("localhost", "/nowhere.pem", "require"),
    ] {
        let failure = PostgresStore::connect(&wrong).await.unwrap_err().to_string();
        assert!(failure.contains("TLS") || failure.contains("sslrootcert"), "{failure}");
    }
}

#[tokio::test]
async fn a_way_that_must_be_private_is_not_taken_without_tls() {
    let database = database();
    let socket = format!("{}?sslmode=require", database.url());
    let failure = PostgresStore::connect(&socket).await.unwrap_err().to_string();
    assert!(failure.contains("TLS"), "{failure}");
}
