/** The id of the message box on a run's page, by which others give it the focus. */
export const MESSAGE_BOX_ID = "message-to-agent";
