-- Holds a box for the rest of the transaction, so that nobody changes it in between.
-- in:  domain_uuid uuid, voicemail_uuid uuid
-- out: voicemail_uuid uuid; no row where it is gone
-- index: primary key
select v.voicemail_uuid
  from v_voicemails as v
 where v.domain_uuid = %(domain_uuid)s and v.voicemail_uuid = %(voicemail_uuid)s
   for update
