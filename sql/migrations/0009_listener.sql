-- Who tells what a node's switch tells: one worker at a time, though several may serve a node.

create table pbxapi.listener (
  node        text primary key,
  owner       uuid,
  seen_at     timestamptz not null default clock_timestamp(),
  told_until  timestamptz
);

comment on column pbxapi.listener.owner is 'null: nobody, the next to come may take it';
comment on column pbxapi.listener.told_until is 'all that the switch fired until then has been told';

-- A voicemail message is told once, however often the lamp of its box is lit.
create index event_voicemail_message on pbxapi.event ((data ->> 'voicemail_message_uuid'))
 where type = 'voicemail.left';
