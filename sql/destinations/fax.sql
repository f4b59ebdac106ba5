-- The number of a fax.
-- in:  domain_uuid uuid, fax_uuid uuid
-- out: fax_extension; no row where the domain has no such fax
-- index: primary key
select fax_extension
  from v_fax
 where fax_uuid = %(fax_uuid)s and domain_uuid = %(domain_uuid)s
