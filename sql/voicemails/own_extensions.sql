-- The extensions whose directory entries hold something of a box.
-- in:  domain_uuid uuid, voicemail_uuid uuid
-- out: extension_uuid uuid
-- index: primary key, then v_extensions (domain_uuid, extension) and (domain_uuid, number_alias)
select e.extension_uuid
  from v_voicemails as v
 -- Two look-ups: with an "or" PostgreSQL goes through all extensions of the domain.
 cross join lateral (
   select extension_uuid from v_extensions
    where domain_uuid = %(domain_uuid)s and extension = v.voicemail_id
   union
   select extension_uuid from v_extensions
    where domain_uuid = %(domain_uuid)s and number_alias = v.voicemail_id
 ) as e
 where v.domain_uuid = %(domain_uuid)s and v.voicemail_uuid = %(voicemail_uuid)s
