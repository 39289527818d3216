// Light, dark, or as the system has it. A classic script in the head, so that the page is never painted in
// the wrong one first.
(() => {
  const KEY = 'mingle-theme';
  const CHOICES = ['auto', 'light', 'dark'];

  /** Storage may be forbidden; the page then follows the system. */
  function stored() {
    try {
      const choice = localStorage.getItem(KEY);
      return CHOICES.includes(choice) ? choice : 'auto';
    } catch {
      return 'auto';
    }
  }

  function store(choice) {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // It then lasts as long as the page.
    }
  }

  function show(choice) {
    document.documentElement.dataset.theme = choice;
    const button = document.getElementById('theme');
    if (button) button.textContent = `Theme: ${choice}`;
  }

  show(stored());
  document.addEventListener('DOMContentLoaded', () => {
    show(stored());
    document.getElementById('theme').addEventListener('click', () => {
      const next = CHOICES[(CHOICES.indexOf(document.documentElement.dataset.theme) + 1) % CHOICES.length];
      store(next);
      show(next);
    });
  });
})();
