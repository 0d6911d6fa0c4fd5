use super::looks_secret;

#[test]
fn what_looks_like_a_secret() {
    for (name, value) in [
        ("POSTGRES_PASSWORD", "hunter2"),
        ("smtp.password", "x y"),
        ("API_TOKEN", "eyJhbGciOi"),
        ("DJANGO_SECRET_KEY", "s3"),
        ("DB_PASS", "p"),
        ("ENCRYPTION_KEY", "0011aabb"),
        ("DATABASE_URL", "postgres://desk:hunter2@db/desk"),
        ("CERT", "-----BEGIN EC PRIVATE KEY-----\nMHc"),
    ] {
        assert!(looks_secret(name, value), "{name}");
    }
    for (name, value) in [
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db"),
        ("DB_PASSWORD", ""),
        ("PASSWORD_RESET_ENABLED", "true"),
        ("TOKEN_TTL", "3600"),
        ("SECRET_PATH", "x"),
        ("DATABASE_URL", "postgres://desk@db/desk"),
        ("KEY", "a"),
        ("DOMAIN", "help.example"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("SSH_KEY", "/srv/key"),
    ] {
        assert!(!looks_secret(name, value), "{name}");
    }
}
