/** The id of the message box on a run's page, used to focus it. */
export const MESSAGE_BOX_ID = "message-to-agent";
