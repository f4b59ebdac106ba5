-- What a node's worker counts and sees, for /readyz and /metrics. Counters only grow while a node is known.

alter table pbxapi.node
  add column socket_error  text,
  add column applied       bigint not null default 0,
  add column failures      bigint not null default 0,
  add column reloads       bigint not null default 0;

comment on column pbxapi.node.socket_error is 'why the event socket does not answer the heartbeat; null: it answers';
comment on column pbxapi.node.failures is 'attempts to apply a change that failed';
comment on column pbxapi.node.reloads is 'times the switch read its XML files again for us';
