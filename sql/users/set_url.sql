-- The contact's first web address: changed, added, or (null) deleted; further addresses stay.
-- in:  domain_uuid uuid, contact_uuid uuid, contact_url_uuid uuid (new), contact_url text or null
with first as (
  select contact_url_uuid
    from v_contact_urls
   where domain_uuid = %(domain_uuid)s and contact_uuid = %(contact_uuid)s
   order by url_primary desc nulls last, contact_url_uuid
   limit 1
), changed as (
  update v_contact_urls
     set url_address = %(contact_url)s, update_date = now()
   where contact_url_uuid in (select contact_url_uuid from first)
     and %(contact_url)s::text is not null
), gone as (
  delete from v_contact_urls
   where contact_url_uuid in (select contact_url_uuid from first)
     and %(contact_url)s::text is null
)
insert into v_contact_urls (
  contact_url_uuid,
  domain_uuid,
  contact_uuid,
  url_address,
  url_primary,
  insert_date
)
select %(contact_url_uuid)s::uuid,
       %(domain_uuid)s::uuid,
       %(contact_uuid)s::uuid,
       %(contact_url)s::text,
       'true',
       now()
 where %(contact_url)s::text is not null and not exists (select from first)
