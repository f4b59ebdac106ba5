-- A setting that the domain did not have.
-- in:  domain_uuid uuid, domain_setting_uuid uuid, the columns as text
insert into v_domain_settings (
  domain_setting_uuid,
  domain_uuid,
  domain_setting_category,
  domain_setting_subcategory,
  domain_setting_name,
  domain_setting_value,
  domain_setting_order,
  domain_setting_enabled,
  domain_setting_description,
  insert_date
) values (
  %(domain_setting_uuid)s,
  %(domain_uuid)s,
  %(category)s,
  %(subcategory)s,
  %(name)s,
  %(value)s,
  %(order)s,
  %(enabled)s,
  %(description)s,
  now()
)
