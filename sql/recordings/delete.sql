-- A recording goes, with its content.
-- in:  domain_uuid uuid, recording_uuid uuid
delete from v_recordings where domain_uuid = %(domain_uuid)s and recording_uuid = %(recording_uuid)s
