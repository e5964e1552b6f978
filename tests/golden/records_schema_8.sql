BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0008');
CREATE TABLE archived_participants (
	tournament_id BIGINT NOT NULL, 
	user_id BIGINT NOT NULL, 
	PRIMARY KEY (tournament_id, user_id)
)
 WITHOUT ROWID

;
CREATE TABLE archives (
	tournament_id INTEGER NOT NULL, 
	log_partition INTEGER NOT NULL, 
	log_offset BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	finished_ms BIGINT NOT NULL, 
	participants BIGINT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	digest VARCHAR(32) NOT NULL, 
	archived_ms BIGINT NOT NULL, 
	place VARCHAR(16) NOT NULL, 
	PRIMARY KEY (tournament_id)
);
CREATE TABLE notice_jobs (
	tournament_id BIGINT NOT NULL, 
	notice_key VARCHAR(100) NOT NULL, 
	channel VARCHAR(16) NOT NULL, 
	payload BLOB NOT NULL, 
	last_user BIGINT NOT NULL, 
	made_ms BIGINT NOT NULL, 
	worked_ms BIGINT NOT NULL, 
	done_ms BIGINT, 
	sent BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	PRIMARY KEY (tournament_id, notice_key, channel)
);
CREATE TABLE notice_retries (
	tournament_id BIGINT NOT NULL, 
	notice_key VARCHAR(100) NOT NULL, 
	channel VARCHAR(16) NOT NULL, 
	user_id BIGINT NOT NULL, 
	payload BLOB NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_ms BIGINT NOT NULL, 
	PRIMARY KEY (tournament_id, notice_key, channel, user_id)
);
CREATE TABLE notification_settings (
	user_id INTEGER NOT NULL, 
	channels INTEGER NOT NULL, 
	overtaken BOOLEAN NOT NULL, 
	version INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (user_id)
);
CREATE TABLE outbox (
	tournament_id BIGINT NOT NULL, 
	log_offset BIGINT NOT NULL, 
	n INTEGER NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	payload BLOB NOT NULL, 
	PRIMARY KEY (tournament_id, log_offset, n)
);
INSERT INTO "outbox" VALUES(1,10,0,'finished',X'656666656374206669727374');
INSERT INTO "outbox" VALUES(1,11,0,'finished',X'656666656374207365636F6E64');
CREATE TABLE prizes (
	tournament_id BIGINT NOT NULL, 
	rule_number INTEGER NOT NULL, 
	user_id BIGINT NOT NULL, 
	n INTEGER NOT NULL, 
	log_partition INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	place INTEGER NOT NULL, 
	units BIGINT NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	item VARCHAR(255) NOT NULL, 
	board_group VARCHAR(255), 
	state VARCHAR(16) NOT NULL, 
	claim BOOLEAN NOT NULL, 
	claimed_ms BIGINT, 
	attempts INTEGER NOT NULL, 
	due_ms BIGINT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	changed_ms BIGINT NOT NULL, 
	changed_by BIGINT NOT NULL, 
	reason VARCHAR(255) NOT NULL, 
	reference VARCHAR(255) NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (tournament_id, rule_number, user_id, n)
);
CREATE TABLE projected (
	scope VARCHAR(64) NOT NULL, 
	log_partition INTEGER NOT NULL, 
	log_offset BIGINT NOT NULL, 
	PRIMARY KEY (scope)
);
INSERT INTO "projected" VALUES('partition-1',1,11);
CREATE TABLE schema_version (
	id INTEGER NOT NULL, 
	version INTEGER, 
	PRIMARY KEY (id)
);
INSERT INTO "schema_version" VALUES(0,8);
CREATE TABLE shard_identity (
	id INTEGER NOT NULL, 
	shard INTEGER NOT NULL, 
	installation VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE shard_partitions (
	log_partition INTEGER NOT NULL, 
	shard INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	moving_to INTEGER, 
	PRIMARY KEY (log_partition)
);
CREATE TABLE snapshots (
	tournament_id BIGINT NOT NULL, 
	log_offset BIGINT NOT NULL, 
	part INTEGER NOT NULL, 
	log_partition INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (tournament_id, log_offset, part)
);
INSERT INTO "snapshots" VALUES(1,10,0,1,X'736E617073686F74203130206669727374');
INSERT INTO "snapshots" VALUES(1,11,0,1,X'736E617073686F74203131207365636F6E64');
CREATE TABLE tournament_participants (
	tournament_id BIGINT NOT NULL, 
	user_id BIGINT NOT NULL, 
	name VARCHAR(255), 
	active BOOLEAN NOT NULL, 
	score NUMERIC(10, 2), 
	attempts INTEGER NOT NULL, 
	scored_ms BIGINT, 
	joined_ms BIGINT NOT NULL, 
	rank INTEGER, subscore NUMERIC(10, 2), 
	PRIMARY KEY (tournament_id, user_id)
)
 WITHOUT ROWID

;
INSERT INTO "tournament_participants" VALUES(1,1,'second',1,0.11,2,1790000150000,1790000110000,NULL,NULL);
INSERT INTO "tournament_participants" VALUES(2,1,'User 1',1,-19.99,2,1790000150000,1790000110000,NULL,NULL);
INSERT INTO "tournament_participants" VALUES(2,2,'User 2',1,NULL,2,1790000150000,1790000110000,NULL,NULL);
CREATE TABLE tournaments (
	tournament_id INTEGER NOT NULL, 
	log_partition INTEGER NOT NULL, 
	log_offset BIGINT NOT NULL, 
	epoch BIGINT NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	name_folded VARCHAR(1024) NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	visibility VARCHAR(16) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	is_active BOOLEAN NOT NULL, 
	dedicated BOOLEAN NOT NULL, 
	creator BIGINT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	start_time BIGINT, 
	end_time BIGINT, 
	finished_ms BIGINT, 
	capacity BIGINT, 
	participants BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	spec TEXT(1048576) NOT NULL, 
	PRIMARY KEY (tournament_id)
);
INSERT INTO "tournaments" VALUES(1,1,11,3,'at 11 second','at 11 second','scheduled','public','running',1,0,7,1790000000001,1790000100000,1790000200000,NULL,NULL,0,1,0,'{"name": "ä", "order":"desc"}');
INSERT INTO "tournaments" VALUES(2,2,10,3,'Ünïcode','ünïcode','scheduled','public','running',1,0,7,1790000000002,1790000100000,1790000200000,NULL,NULL,0,1,0,'{"name": "ä", "order":"desc"}');
CREATE INDEX idx_tournament_participants_tournament ON tournament_participants (tournament_id, score DESC);
CREATE INDEX idx_tournament_participants_user ON tournament_participants (user_id);
CREATE INDEX idx_tournaments_active ON tournaments (is_active, end_time);
CREATE INDEX idx_tournaments_listed ON tournaments (created_ms, tournament_id);
CREATE INDEX idx_tournaments_status ON tournaments (status, start_time);
CREATE INDEX idx_tournaments_partition ON tournaments (log_partition, is_active);
CREATE INDEX idx_prizes_state ON prizes (state, tournament_id, due_ms);
CREATE INDEX idx_prizes_user ON prizes (user_id, created_ms);
CREATE INDEX idx_outbox_kind ON outbox (kind, tournament_id);
CREATE INDEX idx_notification_settings_overtaken ON notification_settings (overtaken, user_id);
CREATE INDEX idx_notice_jobs_open ON notice_jobs (channel, done_ms, worked_ms);
CREATE INDEX idx_notice_retries_user ON notice_retries (user_id);
CREATE INDEX idx_notice_retries_due ON notice_retries (channel, due_ms);
CREATE INDEX idx_archives_finished ON archives (finished_ms, tournament_id);
CREATE INDEX idx_archives_place ON archives (place, finished_ms);
CREATE INDEX idx_archived_participants_user ON archived_participants (user_id, tournament_id);
COMMIT;
