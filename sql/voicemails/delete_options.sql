-- The keys of a box go, to be replaced.
-- in:  domain_uuid uuid, voicemail_uuid uuid
delete from v_voicemail_options where domain_uuid = %(domain_uuid)s and voicemail_uuid = %(voicemail_uuid)s
