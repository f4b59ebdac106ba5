-- The user's own language or time zone, as FusionPBX's user page keeps it.
-- in:  domain_uuid uuid, user_setting_uuid uuid (new), user_uuid uuid, subcategory text, name text, value text
with gone as (
  delete from v_user_settings
   where domain_uuid = %(domain_uuid)s and user_uuid = %(user_uuid)s
     and user_setting_category = 'domain' and user_setting_subcategory = %(subcategory)s
)
insert into v_user_settings (
  user_setting_uuid,
  domain_uuid,
  user_uuid,
  user_setting_category,
  user_setting_subcategory,
  user_setting_name,
  user_setting_value,
  user_setting_enabled,
  insert_date
)
select %(user_setting_uuid)s::uuid,
       %(domain_uuid)s::uuid,
       %(user_uuid)s::uuid,
       'domain',
       %(subcategory)s,
       %(name)s,
       %(value)s::text,
       'true',
       now()
 where %(value)s::text is not null
