-- The contact's first e-mail address: changed, added, or (null) deleted; further addresses stay.
-- in:  domain_uuid uuid, contact_uuid uuid, contact_email_uuid uuid (new), contact_email text or null
with first as (
  select contact_email_uuid
    from v_contact_emails
   where domain_uuid = %(domain_uuid)s and contact_uuid = %(contact_uuid)s
   order by email_primary desc nulls last, contact_email_uuid
   limit 1
), changed as (
  update v_contact_emails
     set email_address = %(contact_email)s, update_date = now()
   where contact_email_uuid in (select contact_email_uuid from first)
     and %(contact_email)s::text is not null
), gone as (
  delete from v_contact_emails
   where contact_email_uuid in (select contact_email_uuid from first)
     and %(contact_email)s::text is null
)
insert into v_contact_emails (
  contact_email_uuid,
  domain_uuid,
  contact_uuid,
  email_address,
  email_primary,
  insert_date
)
select %(contact_email_uuid)s::uuid,
       %(domain_uuid)s::uuid,
       %(contact_uuid)s::uuid,
       %(contact_email)s::text,
       'true',
       now()
 where %(contact_email)s::text is not null and not exists (select from first)
