-- What waits is found by an index of what waits. What was done stays in it until a vacuum, and each look walks over
-- that. By PostgreSQL's own measure a vacuum comes when a fifth of the table has changed, which of two weeks of
-- changes are days, and it may leave the indexes as they are.

alter table pbxapi.change_node set (autovacuum_vacuum_scale_factor = 0.01, vacuum_index_cleanup = on);
alter table pbxapi.event set (autovacuum_vacuum_scale_factor = 0.01, vacuum_index_cleanup = on);
alter table pbxapi.webhook_delivery set (autovacuum_vacuum_scale_factor = 0.01, vacuum_index_cleanup = on);
alter table pbxapi.job set (autovacuum_vacuum_scale_factor = 0.01, vacuum_index_cleanup = on);
