-- A box goes.
-- in:  domain_uuid uuid, voicemail_uuid uuid
delete from v_voicemails where domain_uuid = %(domain_uuid)s and voicemail_uuid = %(voicemail_uuid)s
