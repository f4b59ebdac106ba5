-- Changes that one request made together: what became of them can be asked for under one id.

alter table pbxapi.change add column batch_id uuid;

create index change_batch on pbxapi.change (batch_id) where batch_id is not null;
