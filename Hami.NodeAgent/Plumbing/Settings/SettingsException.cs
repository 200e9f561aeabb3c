namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>A configuration file cannot be used; the message is one sentence for whoever wrote it.</summary>
internal sealed class SettingsException(string message, Exception? cause = null) : Exception(message, cause);
