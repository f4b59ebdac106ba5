-- The box of a number.
-- in:  domain_uuid uuid, voicemail_id text
-- out: voicemail_uuid uuid; at most one row
-- index: v_voicemails (domain_uuid)
select v.voicemail_uuid
  from v_voicemails as v
 where v.domain_uuid = %(domain_uuid)s and v.voicemail_id = %(voicemail_id)s
 order by v.voicemail_uuid
 limit 1
