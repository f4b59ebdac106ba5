-- The extensions whose directory entries hold something of a box.
-- in:  domain_uuid uuid, voicemail_uuid uuid
-- out: extension_uuid uuid
-- index: primary key, then v_extensions (domain_uuid)
select e.extension_uuid
  from v_voicemails as v
  join v_extensions as e on e.domain_uuid = %(domain_uuid)s
   and (e.extension = v.voicemail_id or e.number_alias = v.voicemail_id)
 where v.domain_uuid = %(domain_uuid)s and v.voicemail_uuid = %(voicemail_uuid)s
