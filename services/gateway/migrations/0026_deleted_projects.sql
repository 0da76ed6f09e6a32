-- What an operator has done again is of projects that are there, and remain there until it is written.
CREATE POLICY operators_see  ON projects FOR SELECT TO gateway USING ((SELECT is_operator()));
CREATE POLICY operators_keep ON projects FOR UPDATE TO gateway USING ((SELECT is_operator())) WITH CHECK (false);
